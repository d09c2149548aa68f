// Tokens -> principals. Owns jose; knows neither sockets nor the catalogue's channels.
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyOptions,
} from 'jose';
import { encodeSubject, fail, ok, parseSubjectToken, type Result, type SubjectEncoding } from '@sluice/schemas';
import type { Clock } from '../operations/clock.ts';
import type { VerificationKey } from './keys.ts';
import type { Principal } from './permission.ts';

export type AuthFault = 'token_missing' | 'token_invalid' | 'token_expired' | 'auth_unavailable';

export interface AuthOptions {
  readonly key: VerificationKey;
  readonly issuer?: readonly string[];
  readonly audience?: readonly string[];
  readonly clockToleranceMs: number;
  readonly maxTokenBytes: number;
  readonly subjectEncoding: SubjectEncoding;
  /** The catalogue's: where the role is found. */
  readonly role: { readonly claim: string; readonly fallback: string };
  /** Claims that a principal keeps, from `claimsOf(catalogue)`; the rest would cost memory per connection. */
  readonly claims: ReadonlySet<string>;
  readonly jwks: {
    readonly timeoutMs: number;
    /** How soon after a successful fetch a key that is not in the set may cause another. */
    readonly cooldownMs: number;
    readonly maxAgeMs: number;
  };
}

export interface Authenticator {
  /** Never rejects. */
  readonly verify: (token: string | undefined) => Promise<Result<Principal, AuthFault>>;
}

/** After a failed fetch of the key set: how long everybody is told so at once instead of fetching again. */
const JWKS_RETRY_MS = 1_000;

class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

type KeyLookup = (header: JWTHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

export const createAuthenticator = (options: AuthOptions, clock: Pick<Clock, 'now'>): Authenticator => {
  const { key, issuer, audience, maxTokenBytes, clockToleranceMs } = options;
  const verifyOptions = {
    algorithms: [...key.algorithms],
    requiredClaims: ['sub'],
    clockTolerance: clockToleranceMs / 1_000,
    ...(issuer && { issuer: [...issuer] }),
    ...(audience && { audience: [...audience] }),
  } satisfies JWTVerifyOptions;
  const check = key.kind === 'jwks' ? remoteVerifier(key.url, options.jwks, clock) : fixedVerifier(key);

  const verify = async (token: string | undefined): Promise<Result<Principal, AuthFault>> => {
    if (token === undefined || token === '') return fail('token_missing');
    // Characters are bytes in a well-formed token, and a longer one is refused either way.
    if (token.length > maxTokenBytes) return fail('token_invalid');
    try {
      return toPrincipal(await check(token, { ...verifyOptions, currentDate: new Date(clock.now()) }), options);
    } catch (error) {
      if (error instanceof errors.JWTExpired) return fail('token_expired');
      if (error instanceof KeysUnavailable) return fail('auth_unavailable');
      return fail('token_invalid');
    }
  };
  return { verify };
};

type Verifier = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

const fixedVerifier =
  ({ key }: Exclude<VerificationKey, { kind: 'jwks' }>): Verifier =>
  async (token, options) =>
    (await jwtVerify(token, key, options)).payload;

const remoteVerifier = (url: URL, jwks: AuthOptions['jwks'], clock: Pick<Clock, 'now'>): Verifier => {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: jwks.timeoutMs,
    cooldownDuration: jwks.cooldownMs,
    cacheMaxAge: jwks.maxAgeMs,
    [customFetch]: async (address, init) => {
      if (clock.now() - failedAtMs < JWKS_RETRY_MS)
        throw new KeysUnavailable('the key set failed to load a moment ago');
      try {
        const response = await fetch(address, init);
        if (response.status !== 200) throw new KeysUnavailable(`the key set answered ${response.status}`);
        return response;
      } catch (error) {
        failedAtMs = clock.now();
        throw error;
      }
    },
  });
  // What jose says about the token's own key stays; everything else (network, status, a set that is none) is not the
  // token's fault.
  const lookup: KeyLookup = async (header, token) => {
    try {
      return await keySet(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw new KeysUnavailable('the key set cannot be loaded', { cause: error });
    }
  };
  return async (token, options) => {
    try {
      return (await jwtVerify(token, lookup, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      // A token without `kid` while several keys fit, as during a rotation: any of them may have signed it.
      for await (const candidate of error) {
        try {
          return (await jwtVerify(token, candidate, options)).payload;
        } catch (failure) {
          if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  };
};

const toPrincipal = (payload: JWTPayload, options: AuthOptions): Result<Principal, 'token_invalid'> => {
  const spell = options.subjectEncoding === 'percent' ? encodeClaim : (value: unknown): unknown => value;
  const subject = parseSubjectToken(spell(payload.sub));
  const role = roleOf(payload, options.role);
  if (!subject.ok || role === undefined) return fail('token_invalid');
  const claims: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of options.claims) if (Object.hasOwn(payload, name)) claims[name] = spell(payload[name]);
  return ok({
    subject: subject.value,
    role,
    claims,
    ...(payload.exp !== undefined && { expiresAtMs: payload.exp * 1_000 }),
  });
};

/** A role that is there but is no text must not count as absent: absent means the fallback's rights. */
const roleOf = (payload: JWTPayload, { claim, fallback }: AuthOptions['role']): string | undefined => {
  const role = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (role === undefined || role === null) return fallback;
  return typeof role === 'string' ? role : undefined;
};

const encodeClaim = (value: unknown): unknown => {
  if (typeof value === 'string') return encodeSubject(value);
  return Array.isArray(value)
    ? value.map((each: unknown) => (typeof each === 'string' ? encodeSubject(each) : each))
    : value;
};

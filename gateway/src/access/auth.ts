// Tokens -> principals, with jose. Knows neither sockets nor the catalogue's channels.
import { webcrypto } from 'node:crypto';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type CryptoKey,
  decodeJwt,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import { encodeSubject, fail, ok, parseSubjectToken, type Result, type SubjectEncoding } from '@sluice/schemas';
import type { Clock } from '../operations/clock.ts';
import type { VerificationKey } from './keys.ts';
import type { ClaimNames, Principal } from './permission.ts';

export type AuthOutcome = 'accepted' | AuthFault;
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
  readonly claims: ClaimNames;
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
  /** How often each outcome was. */
  readonly outcomes: Readonly<Record<AuthOutcome, number>>;
}

const { subtle } = webcrypto;
/** After a failed fetch of the key set: how long everybody is told so at once instead of fetching again. */
const JWKS_RETRY_MS = 1_000;

/** The payload of a token that is good now; throws jose's errors, or those of fetching the key set. */
type Verifier = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

export const createAuthenticator = (options: AuthOptions, clock: Pick<Clock, 'now'>): Authenticator => {
  const { key, issuer, audience, clockToleranceMs, maxTokenBytes } = options;
  const keySet = key.kind === 'jwks' ? createKeySet(key.url, options.jwks, clock) : undefined;
  const verifier = keySet
    ? verifyWithSet(keySet.get)
    : verifyWithKey(key as Exclude<VerificationKey, { kind: 'jwks' }>);

  const judge = async (token: string | undefined): Promise<Result<Principal, AuthFault>> => {
    if (token === undefined || token === '') return fail('token_missing');
    // Characters are bytes in a well-formed token, and a longer one is refused either way.
    if (token.length > maxTokenBytes) return fail('token_invalid');
    try {
      const payload = await verifier(token, {
        // The kind of our key decides which algorithms there are, never the token.
        algorithms: [...key.algorithms],
        ...(issuer && { issuer: [...issuer] }),
        ...(audience && { audience: [...audience] }),
        clockTolerance: clockToleranceMs / 1_000,
        currentDate: new Date(clock.now()),
      });
      return toPrincipal(payload, options);
    } catch (error) {
      return fail(faultOf(error, token, keySet));
    }
  };

  const outcomes = { accepted: 0, token_missing: 0, token_invalid: 0, token_expired: 0, auth_unavailable: 0 };
  return {
    outcomes,
    verify: async (token) => {
      const result = await judge(token);
      outcomes[result.ok ? 'accepted' : result.error]++;
      return result;
    },
  };
};

interface KeySet {
  readonly get: JWTVerifyGetKey;
  readonly loadedAtMs: () => number;
}

const createKeySet = (url: URL, jwks: AuthOptions['jwks'], clock: Pick<Clock, 'now'>): KeySet => {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  const get = createRemoteJWKSet(url, {
    timeoutDuration: jwks.timeoutMs,
    cooldownDuration: jwks.cooldownMs,
    cacheMaxAge: jwks.maxAgeMs,
    [customFetch]: async (address, init) => {
      if (clock.now() - failedAtMs < JWKS_RETRY_MS) throw new Error('the key set failed to load a moment ago');
      try {
        const response = await fetch(address, init);
        if (response.status !== 200) throw new Error(`the key set answered ${response.status}`);
        loadedAtMs = clock.now();
        return response;
      } catch (error) {
        failedAtMs = clock.now();
        // fetch throws TypeErrors, as jose does for keys that it cannot use: they must not be taken for each other.
        throw new Error('the key set cannot be fetched', { cause: error });
      }
    },
  });
  return { get, loadedAtMs: () => loadedAtMs };
};

const verifyWithKey = ({ kind, key }: Exclude<VerificationKey, { kind: 'jwks' }>): Verifier => {
  if (kind === 'public') return async (token, rules) => (await jwtVerify(token, key, rules)).payload;
  // jose would import a secret for every token anew, which takes longer than to verify it.
  const imported = new Map<string, Promise<CryptoKey>>();
  const importFor = ({ alg }: JWTHeaderParameters): Promise<CryptoKey> => {
    const known = imported.get(alg);
    if (known) return known;
    const hash = `SHA-${alg.slice('HS'.length)}`;
    const made = subtle.importKey('raw', key.export(), { name: 'HMAC', hash }, false, ['verify']);
    imported.set(alg, made);
    return made;
  };
  return async (token, rules) => (await jwtVerify(token, importFor, rules)).payload;
};

/** A token without `kid` while several keys fit, as during a rotation: any of them may have signed it. */
const verifyWithSet =
  (keySet: JWTVerifyGetKey): Verifier =>
  async (token, rules) => {
    try {
      return (await jwtVerify(token, keySet, rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return await verifyWithAny(error, token, rules);
    }
  };

const verifyWithAny = async (
  candidates: AsyncIterable<CryptoKey>,
  token: string,
  rules: JWTVerifyOptions,
): Promise<JWTPayload> => {
  let refusal: unknown = new errors.JWSSignatureVerificationFailed();
  for await (const candidate of candidates) {
    try {
      return (await jwtVerify(token, candidate, rules)).payload;
    } catch (error) {
      // Another key's signature says nothing; what a key of the set has signed and is refused, is refused for that.
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) refusal = error;
    }
  }
  throw refusal;
};

/** Errors that speak of the token; every other one (network, status, a set that is none) is not its fault. */
const TOKEN_FAULTS = [
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  // A key of the set that is too weak, or not for this algorithm.
  TypeError,
];

const faultOf = (error: unknown, token: string, keySet: KeySet | undefined): AuthFault => {
  if (error instanceof errors.JWTExpired) return 'token_expired';
  if (!keySet || TOKEN_FAULTS.some((fault) => error instanceof fault)) return 'token_invalid';
  if (error instanceof errors.JWKSNoMatchingKey) {
    // Issued after the set was fetched, and it is too soon to fetch again: its key may be a new one. Refused for good, a
    // client would stay away although its token is valid.
    return issuedAtMs(token) > keySet.loadedAtMs() ? 'auth_unavailable' : 'token_invalid';
  }
  return 'auth_unavailable';
};

/** The payload of a verified token, reduced to what a connection needs. */
const toPrincipal = (payload: JWTPayload, options: AuthOptions): Result<Principal, 'token_invalid'> => {
  const spell = options.subjectEncoding === 'percent' ? encodeClaim : (value: unknown): unknown => value;
  const subject = parseSubjectToken(spell(payload['sub']));
  const role = roleOf(payload, options.role);
  if (!subject.ok || role === undefined) return fail('token_invalid');
  const { all, inSubjects } = options.claims;
  const kept = [...all].filter((name) => Object.hasOwn(payload, name));
  // What is only shown to people, such as their name, is nobody's token of a subject.
  const told = kept.map((name) => [name, inSubjects.has(name) ? spell(payload[name]) : payload[name]]);
  const claims = Object.fromEntries(told) as Principal['claims'];
  const { exp } = payload;
  return ok({
    subject: subject.value,
    role,
    claims,
    // The tolerance is granted to the open connection too: it would else be closed in the moment it was accepted.
    ...(typeof exp === 'number' && { expiresAtMs: toWholeMs(exp * 1_000 + options.clockToleranceMs) }),
  });
};

// Issuers may write fractions and 1e300; what travels to clients is a whole number.
const toWholeMs = (ms: number): number => Math.min(Math.floor(ms), Number.MAX_SAFE_INTEGER);

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

/** When an unverified token says that it was issued; -Infinity if it does not say. */
const issuedAtMs = (token: string): number => {
  try {
    return (decodeJwt(token).iat ?? Number.NEGATIVE_INFINITY) * 1_000;
  } catch {
    // Not even readable: whatever it claims does not count.
    return Number.NEGATIVE_INFINITY;
  }
};

// Tokens -> principals. Owns jose (remote key sets); knows neither sockets nor the catalogue's channels.
import { KeyObject } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, type CryptoKey, type RemoteJWKSet } from 'jose';
import { encodeSubject, fail, ok, parseSubjectToken, type Result, type SubjectEncoding } from '@sluice/schemas';
import type { Clock } from '../operations/clock.ts';
import { algorithmsOf, type VerificationKey } from './keys.ts';
import type { Principal } from './permission.ts';
import { isSignatureValid } from './signature.ts';
import { checkClaims, parseToken, type ClaimRules, type JsonObject, type Token } from './token.ts';

export type AuthOutcome = 'accepted' | AuthFault;
export type AuthFault = 'token_missing' | 'token_invalid' | 'token_expired' | 'auth_unavailable';

export interface AuthOptions extends ClaimRules {
  readonly key: VerificationKey;
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
  /** How often each outcome was. */
  readonly outcomes: Readonly<Record<AuthOutcome, number>>;
}

/** After a failed fetch of the key set: how long everybody is told so at once instead of fetching again. */
const JWKS_RETRY_MS = 1_000;

/** Is the token's signature one of a key that we trust? */
type SignatureCheck = (token: Token) => Promise<Result<void, 'token_invalid' | 'auth_unavailable'>>;

export const createAuthenticator = (options: AuthOptions, clock: Pick<Clock, 'now'>): Authenticator => {
  const { key, maxTokenBytes } = options;
  const checkSignature = key.kind === 'jwks' ? remoteCheck(key.url, options.jwks, clock) : localCheck(key.key);

  const judge = async (text: string | undefined): Promise<Result<Principal, AuthFault>> => {
    if (text === undefined || text === '') return fail('token_missing');
    // Characters are bytes in a well-formed token, and a longer one is refused either way.
    if (text.length > maxTokenBytes) return fail('token_invalid');
    const token = parseToken(text);
    // The kind of our key decides which algorithms there are, never the token.
    if (!token.ok || !key.algorithms.includes(token.value.header.alg)) return fail('token_invalid');
    const signed = await checkSignature(token.value);
    if (!signed.ok) return signed;
    const current = checkClaims(token.value.payload, options, clock.now());
    return current.ok ? toPrincipal(token.value.payload, options) : current;
  };
  const outcomes = { accepted: 0, token_missing: 0, token_invalid: 0, token_expired: 0, auth_unavailable: 0 };
  return {
    outcomes,
    verify: async (text) => {
      const result = await judge(text);
      outcomes[result.ok ? 'accepted' : result.error]++;
      return result;
    },
  };
};

const verdict = (isValid: boolean): Result<void, 'token_invalid'> => (isValid ? ok(undefined) : fail('token_invalid'));

const localCheck =
  (key: KeyObject): SignatureCheck =>
  async ({ header, signed, signature }) =>
    verdict(isSignatureValid(header.alg, key, signed, signature));

const remoteCheck = (url: URL, jwks: AuthOptions['jwks'], clock: Pick<Clock, 'now'>): SignatureCheck => {
  const { keySet, loadedAtMs } = fetchKeySet(url, jwks, clock);
  // jose hands out the same CryptoKey until the set changes.
  const converted = new WeakMap<CryptoKey, KeyObject>();
  const isSignedBy = (candidate: CryptoKey, { header, signed, signature }: Token): boolean => {
    let key = converted.get(candidate);
    if (!key) converted.set(candidate, (key = KeyObject.from(candidate)));
    return algorithmsOf(key).includes(header.alg) && isSignatureValid(header.alg, key, signed, signature);
  };

  // A token without `kid` while several keys fit, as during a rotation: any of them may have signed it.
  const isSignedByAny = async (candidates: AsyncIterable<CryptoKey>, token: Token): Promise<boolean> => {
    try {
      for await (const candidate of candidates) if (isSignedBy(candidate, token)) return true;
    } catch {
      // A key of the set that cannot be imported signs nothing.
    }
    return false;
  };

  return async (token) => {
    try {
      return verdict(isSignedBy(await keySet(token.header), token));
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return verdict(await isSignedByAny(error, token));
      if (error instanceof errors.JWKSNoMatchingKey) {
        // Issued after the set was fetched, and it is too soon to fetch again: its key may be a new one. Refused for
        // good, a client would stay away although its token is valid.
        const { iat } = token.payload;
        return fail(typeof iat === 'number' && iat * 1_000 > loadedAtMs() ? 'auth_unavailable' : 'token_invalid');
      }
      // All else that jose may say (network, status, a set that is none) is not the token's fault.
      return fail(error instanceof errors.JOSENotSupported ? 'token_invalid' : 'auth_unavailable');
    }
  };
};

interface FetchedKeySet {
  readonly keySet: RemoteJWKSet;
  readonly loadedAtMs: () => number;
}

const fetchKeySet = (url: URL, jwks: AuthOptions['jwks'], clock: Pick<Clock, 'now'>): FetchedKeySet => {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  const keySet = createRemoteJWKSet(url, {
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
        throw error;
      }
    },
  });
  return { keySet, loadedAtMs: () => loadedAtMs };
};

/** The payload of a verified token, reduced to what a connection needs. */
const toPrincipal = (payload: JsonObject, options: AuthOptions): Result<Principal, 'token_invalid'> => {
  const spell = options.subjectEncoding === 'percent' ? encodeClaim : (value: unknown): unknown => value;
  const subject = parseSubjectToken(spell(payload['sub']));
  const role = roleOf(payload, options.role);
  if (!subject.ok || role === undefined) return fail('token_invalid');
  const kept = [...options.claims].filter((name) => Object.hasOwn(payload, name));
  const claims = Object.fromEntries(kept.map((name) => [name, spell(payload[name])]));
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
const roleOf = (payload: JsonObject, { claim, fallback }: AuthOptions['role']): string | undefined => {
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

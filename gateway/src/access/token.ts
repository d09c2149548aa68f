// Compact JWTs: text -> header, payload, signature; and what the registered claims say about now. Pure.
import { fail, ok, type Result } from '@sluice/schemas';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Token {
  readonly header: JsonObject & { readonly alg: string };
  readonly payload: JsonObject;
  /** What the signature covers. */
  readonly signed: string;
  readonly signature: Buffer;
}

export interface ClaimRules {
  readonly issuer?: readonly string[];
  readonly audience?: readonly string[];
  readonly clockToleranceMs: number;
}

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const strictText = new TextDecoder('utf-8', { fatal: true });

/** Reads, verifies nothing. Never throws. */
export const parseToken = (text: string): Result<Token, 'token_invalid'> => {
  if (!COMPACT.test(text)) return fail('token_invalid');
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  const header = parseObject(text.slice(0, first));
  const payload = parseObject(text.slice(first + 1, second));
  // A critical extension that is not understood must be refused (RFC 7515, 4.1.11), and none is understood here.
  const alg = header?.['alg'];
  if (!header || !payload || typeof alg !== 'string' || Object.hasOwn(header, 'crit')) return fail('token_invalid');
  return ok({
    header: { ...header, alg },
    payload,
    signed: text.slice(0, second),
    signature: Buffer.from(text.slice(second + 1), 'base64url'),
  });
};

const parseObject = (part: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(strictText.decode(Buffer.from(part, 'base64url')));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7519, 4.1, for a payload whose signature was verified. */
export const checkClaims = (
  payload: JsonObject,
  { issuer, audience, clockToleranceMs }: ClaimRules,
  nowMs: number,
): Result<void, 'token_invalid' | 'token_expired'> => {
  const { iss, aud, exp, nbf, iat } = payload;
  if (issuer && !(typeof iss === 'string' && issuer.includes(iss))) return fail('token_invalid');
  if (audience && !isAudience(aud, audience)) return fail('token_invalid');
  if (![exp, nbf, iat].every((time) => time === undefined || typeof time === 'number')) return fail('token_invalid');
  // Both claims are whole seconds, as issuers write them; a fraction would only move the moment within one second.
  if (typeof nbf === 'number' && nbf * 1_000 > nowMs + clockToleranceMs) return fail('token_invalid');
  if (typeof exp === 'number' && exp * 1_000 <= nowMs - clockToleranceMs) return fail('token_expired');
  return ok(undefined);
};

const isAudience = (aud: unknown, wanted: readonly string[]): boolean =>
  (Array.isArray(aud) ? aud : [aud]).some((each) => typeof each === 'string' && wanted.includes(each));

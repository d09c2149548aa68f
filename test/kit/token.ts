// Tokens, good and bad, for the tests' users. Signs with jose or by hand; knows nothing of how the gateway verifies.
import { createHmac } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, type JWK, SignJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';

export const TEST_SECRET = 'a secret that only tests know, 32 bytes and more';

export type AsymmetricAlgorithm = 'ES256' | 'RS256';

export interface Claims {
  sub?: unknown;
  role?: unknown;
  merchantId?: unknown;
  name?: unknown;
  [claim: string]: unknown;
}

export interface TokenOptions {
  /** From now; negative for an expired token. Default one hour. null for none. */
  expiresInMs?: number | null;
  /** From now. */
  notBeforeMs?: number;
  issuer?: string;
  audience?: string | string[];
  keyId?: string;
}

/** Makes tokens under one key. */
export interface TokenIssuer {
  sign(claims: Claims, options?: TokenOptions): Promise<string>;
}

const MINUTE_MS = 60_000;

/** HS256 under the secret that `startGateway` configures. */
export function secretIssuer(secret: string = TEST_SECRET): TokenIssuer {
  return issuerOf('HS256', new TextEncoder().encode(secret));
}

export interface KeyIssuer extends TokenIssuer {
  readonly keyId: string;
  readonly algorithm: AsymmetricAlgorithm;
  /** The public key as PEM (SPKI). */
  readonly publicPem: string;
  readonly publicJwk: JWK;
}

/** A fresh key pair. */
export async function keyIssuer(algorithm: AsymmetricAlgorithm, keyId = 'key-1'): Promise<KeyIssuer> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid: keyId, alg: algorithm, use: 'sig' };
  return {
    ...issuerOf(algorithm, privateKey, keyId),
    keyId,
    algorithm,
    publicPem: await exportSPKI(publicKey),
    publicJwk,
  };
}

function issuerOf(alg: string, key: CryptoKey | Uint8Array, keyId?: string): TokenIssuer {
  return {
    sign: async (claims, options = {}) => {
      const kid = options.keyId ?? keyId;
      return await new SignJWT(fullClaims(claims, options))
        .setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
        .sign(key);
    },
  };
}

function fullClaims(claims: Claims, options: TokenOptions): Record<string, unknown> {
  const { expiresInMs = 60 * MINUTE_MS, notBeforeMs, issuer, audience } = options;
  const nowMs = Date.now();
  const seconds = (ms: number): number => Math.floor((nowMs + ms) / 1000);
  return {
    ...claims,
    iat: seconds(0),
    ...(expiresInMs === null ? {} : { exp: seconds(expiresInMs) }),
    ...(notBeforeMs === undefined ? {} : { nbf: seconds(notBeforeMs) }),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
  };
}

/** The usual principals. */
export const principals = {
  customer: (userId = 'u-1'): Claims => ({ sub: userId }),
  merchant: (merchantId: string | string[] = 'm-1', sub = 'owner-1'): Claims => ({
    sub,
    role: 'merchant_owner',
    merchantId,
  }),
  admin: (sub = 'admin-1'): Claims => ({ sub, role: 'admin' }),
} as const;

export const customerToken = async (userId = 'u-1', options: TokenOptions = {}): Promise<string> =>
  await secretIssuer().sign(principals.customer(userId), options);
export const merchantToken = async (merchantId = 'm-1', options: TokenOptions = {}): Promise<string> =>
  await secretIssuer().sign(principals.merchant(merchantId), options);
export const adminToken = async (options: TokenOptions = {}): Promise<string> =>
  await secretIssuer().sign(principals.admin(), options);

/** Tokens that must be refused, for a gateway with the usual secret (and `audience`, where it is configured). */
export async function badTokens(): Promise<Record<string, string>> {
  const good = secretIssuer();
  const claims = principals.customer();
  const token = await good.sign(claims);
  const [header = '', payload = '', signature = ''] = token.split('.');
  return {
    expired: await good.sign(claims, { expiresInMs: -5 * MINUTE_MS }),
    'not yet valid': await good.sign(claims, { notBeforeMs: 5 * MINUTE_MS }),
    'of another secret': await secretIssuer(`${TEST_SECRET} of somebody else`).sign(claims),
    'unsigned (alg none)': unsignedToken(claims),
    'stripped of its signature': `${header}.${payload}.`,
    'with a changed payload': `${header}.${encodePart(fullClaims({ ...claims, sub: 'u-2' }, {}))}.${signature}`,
    'of three letters': 'a.b.c',
    'of no form': 'not a token',
    'with a payload that is not JSON': hmacToken({ alg: 'HS256' }, 'not json', TEST_SECRET),
    'with a payload that is a list': hmacToken({ alg: 'HS256' }, '[1,2]', TEST_SECRET),
    'with an unknown critical header': hmacToken(
      { alg: 'HS256', crit: ['exotic'], exotic: 1 },
      JSON.stringify(fullClaims(claims, {})),
      TEST_SECRET,
    ),
  };
}

/** `alg: none`. */
export function unsignedToken(claims: Claims, options: TokenOptions = {}): string {
  return `${encodePart({ alg: 'none', typ: 'JWT' })}.${encodePart(fullClaims(claims, options))}.`;
}

/** HS256 with the public key's PEM as the secret: what a verifier accepts that lets the token choose the algorithm. */
export function keyConfusionToken(publicPem: string, claims: Claims, options: TokenOptions = {}): string {
  return hmacToken({ alg: 'HS256', typ: 'JWT' }, JSON.stringify(fullClaims(claims, options)), publicPem);
}

/** Claims that must not widen a filter or become text, each with its name. */
export const hostileIds: Readonly<Record<string, unknown>> = {
  star: '*',
  'full wildcard': '>',
  dots: 'a.b',
  empty: '',
  blank: ' ',
  newline: 'u-1\r\nPUB x 0',
  nul: 'u-1\u0000',
  'ten kilobytes': 'x'.repeat(10_240),
  number: 17,
  null: null,
  object: { toString: 'u-1' },
  missing: undefined,
};

export interface JwksServer extends AsyncDisposable {
  readonly url: string;
  /** How often the keys were asked for. */
  requests(): number;
  /** Rotation and revocation: what is served from now on. */
  setKeys(keys: readonly JWK[]): void;
  /** Answers 503 until set back. */
  setAvailable(isAvailable: boolean): void;
}

export async function startJwksServer(keys: readonly JWK[]): Promise<JwksServer> {
  let current = keys;
  let isAvailable = true;
  let requests = 0;
  const server: Server = createServer((_, response) => {
    requests += 1;
    response.writeHead(isAvailable ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isAvailable ? { keys: current } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    requests: () => requests,
    setKeys: (next) => {
      current = next;
    },
    setAvailable: (next) => {
      isAvailable = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function hmacToken(header: Record<string, unknown>, payload: string, secret: string): string {
  const signed = `${encodePart(header)}.${Buffer.from(payload).toString('base64url')}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

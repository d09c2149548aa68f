import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAuthenticator, type AuthOptions, type Authenticator, type AuthOutcome } from './auth.ts';
import { parseJwksUrl } from './keys.ts';

interface Key {
  readonly kid?: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1_000;

const createKey = (kid?: string): Key => ({
  ...(kid !== undefined && { kid }),
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }),
});
const toJwk = ({ publicKey, kid }: Key): object => ({ ...publicKey.export({ format: 'jwk' }), ...(kid && { kid }) });

const sign = ({ privateKey, kid }: Key, over: Record<string, unknown> = {}, alg = 'ES256'): Promise<string> =>
  new SignJWT({ sub: 'u-1', iat: NOW - 60, exp: NOW + 3_600, ...over })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(privateKey);

/** An identity provider whose answers the test decides. */
class Provider {
  body: string | (() => string) = '{"keys":[]}';
  status = 200;
  isHanging = false;
  fetches = 0;
  readonly #server: Server = createServer((_, response) => {
    this.fetches++;
    if (this.isHanging) return;
    response.writeHead(this.status, { 'content-type': 'application/json' });
    response.end(typeof this.body === 'string' ? this.body : this.body());
  });

  serve(...keys: readonly Key[]): void {
    this.body = JSON.stringify({ keys: keys.map(toJwk) });
  }

  listen(port = 0): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(port, '127.0.0.1', () => {
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }
}

let provider: Provider;
let port: number;
let nowMs: number;

beforeEach(async () => {
  provider = new Provider();
  port = await provider.listen();
  nowMs = NOW_MS;
});

afterEach(() => provider.close());

const authenticator = (jwks: Partial<AuthOptions['jwks']> = {}): Authenticator => {
  const key = parseJwksUrl(`http://127.0.0.1:${port}/keys`);
  if (!key.ok) throw new Error(key.error);
  return createAuthenticator(
    {
      key: key.value,
      clockToleranceMs: 0,
      maxTokenBytes: 16_384,
      subjectEncoding: 'none',
      role: { claim: 'role', fallback: 'customer' },
      claims: { all: new Set(), inSubjects: new Set() },
      jwks: { timeoutMs: 2_000, cooldownMs: 0, maxAgeMs: 600_000, ...jwks },
    },
    { now: () => nowMs },
  );
};

const outcome = async (of: Authenticator, token: string | Promise<string>): Promise<AuthOutcome> => {
  const result = await of.verify(await token);
  return result.ok ? 'accepted' : result.error;
};

describe('rotation', () => {
  test('the set is fetched once for many tokens', async () => {
    const key = createKey('k1');
    provider.serve(key);
    const auth = authenticator();

    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(auth, sign(key))));

    expect(new Set(outcomes)).toEqual(new Set(['accepted']));
    expect(provider.fetches).toBe(1);
  });

  test('a new key is accepted as soon as it signs, the old one as long as it is listed', async () => {
    const [before, after] = [createKey('k1'), createKey('k2')];
    provider.serve(before);
    const auth = authenticator();
    await outcome(auth, sign(before));

    provider.serve(before, after);

    expect(await outcome(auth, sign(after))).toBe('accepted');
    expect(await outcome(auth, sign(before))).toBe('accepted');
    expect(provider.fetches).toBe(2);
  });

  test('a revoked key is refused after the next fetch', async () => {
    const [revoked, current] = [createKey('k1'), createKey('k2')];
    provider.serve(revoked);
    const auth = authenticator();
    expect(await outcome(auth, sign(revoked))).toBe('accepted');

    provider.serve(current);
    expect(await outcome(auth, sign(current))).toBe('accepted');

    expect(await outcome(auth, sign(revoked))).toBe('token_invalid');
  });

  test('a revoked key is refused once the set has aged, also if no other key is seen', async () => {
    const revoked = createKey('k1');
    provider.serve(revoked);
    const auth = authenticator({ maxAgeMs: 0 });
    expect(await outcome(auth, sign(revoked))).toBe('accepted');

    provider.serve(createKey('k2'));

    expect(await outcome(auth, sign(revoked))).toBe('token_invalid');
  });

  test('made-up key ids cause no more than one fetch per cooldown', async () => {
    const key = createKey('k1');
    provider.serve(key);
    const auth = authenticator({ cooldownMs: 60_000 });
    await outcome(auth, sign(key));

    for (let i = 0; i < 20; i++) expect(await outcome(auth, sign(createKey(`made-up-${i}`)))).toBe('token_invalid');

    expect(provider.fetches).toBe(1);
    expect(await outcome(auth, sign(key))).toBe('accepted');
  });

  test('a token younger than the set is not refused for good while the set may not be fetched again', async () => {
    const [before, after] = [createKey('k1'), createKey('k2')];
    provider.serve(before);
    const auth = authenticator({ cooldownMs: 60_000 });
    await outcome(auth, sign(before));
    provider.serve(before, after);
    nowMs += 5_000;

    expect(await outcome(auth, sign(after, { iat: NOW + 4 }))).toBe('auth_unavailable');
    expect(await outcome(auth, sign(after, { iat: NOW - 4 }))).toBe('token_invalid');
  });

  test('a token without a key id is verified by whichever key fits', async () => {
    const keys = [createKey(), createKey(), createKey()];
    provider.serve(...keys);
    const auth = authenticator();

    for (const key of keys) expect(await outcome(auth, sign(key))).toBe('accepted');
    expect(await outcome(auth, sign(createKey()))).toBe('token_invalid');
  });
});

describe('a provider in trouble', () => {
  test('that cannot be reached is told apart from a bad token, and comes back', async () => {
    const key = createKey('k1');
    provider.serve(key);
    const auth = authenticator();
    await provider.close();
    expect(await outcome(auth, sign(key))).toBe('auth_unavailable');

    const again = new Provider();
    again.serve(key);
    await again.listen(port);
    provider = again;
    nowMs += 1_000;

    expect(await outcome(auth, sign(key))).toBe('accepted');
  });

  test('is asked at most once a second while it fails', async () => {
    provider.status = 503;
    const auth = authenticator();

    for (let i = 0; i < 20; i++) expect(await outcome(auth, sign(createKey('k1')))).toBe('auth_unavailable');
    expect(provider.fetches).toBe(1);

    nowMs += 1_000;
    await outcome(auth, sign(createKey('k1')));
    expect(provider.fetches).toBe(2);
  });

  test('keys that are still fresh stay in use meanwhile', async () => {
    const key = createKey('k1');
    provider.serve(key);
    const auth = authenticator();
    await outcome(auth, sign(key));

    provider.status = 500;

    expect(await outcome(auth, sign(key))).toBe('accepted');
    expect(await outcome(auth, sign(createKey('k2')))).toBe('auth_unavailable');
    expect(await outcome(auth, sign(key))).toBe('accepted');
  });

  test.each(['', 'no json', '[]', '{}', '{"keys":{}}', '{"keys":[1]}'])(
    'that answers %j is unavailable',
    async (body) => {
      provider.body = body;

      expect(await outcome(authenticator(), sign(createKey('k1')))).toBe('auth_unavailable');
    },
  );

  test('that does not answer in time is unavailable', async () => {
    provider.isHanging = true;

    expect(await outcome(authenticator({ timeoutMs: 20 }), sign(createKey('k1')))).toBe('auth_unavailable');
  });

  test('that redirects elsewhere is not followed', async () => {
    provider.status = 302;

    expect(await outcome(authenticator(), sign(createKey('k1')))).toBe('auth_unavailable');
    expect(provider.fetches).toBe(1);
  });
});

describe('tokens that a key set must not let through', () => {
  test('HS256 with a listed key, none, and a shared secret in the set', async () => {
    const key = createKey('k1');
    const secret = Buffer.from('a shared secret of at least thirty-two bytes');
    provider.body = JSON.stringify({
      keys: [toJwk(key), { kty: 'oct', kid: 'k2', alg: 'HS256', k: secret.toString('base64url') }],
    });
    const auth = authenticator();
    const hmac = (kid: string, with_: Buffer): Promise<string> =>
      new SignJWT({ sub: 'u-1' }).setProtectedHeader({ alg: 'HS256', kid }).sign(with_);
    const publicPem = Buffer.from(String(key.publicKey.export({ type: 'spki', format: 'pem' })));
    const [, payload] = (await sign(key)).split('.');
    const none = Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url');

    expect(await outcome(auth, hmac('k1', publicPem))).toBe('token_invalid');
    expect(await outcome(auth, hmac('k2', secret))).toBe('token_invalid');
    expect(await outcome(auth, `${none}.${payload}.`)).toBe('token_invalid');
    expect(await outcome(auth, sign(key))).toBe('accepted');
  });

  test('another key under a listed id', async () => {
    provider.serve(createKey('k1'));

    expect(await outcome(authenticator(), sign(createKey('k1')))).toBe('token_invalid');
  });

  test('an RSA key that is too short', async () => {
    const short = { kid: 'k1', ...generateKeyPairSync('rsa', { modulusLength: 1_024 }) };
    provider.body = JSON.stringify({
      keys: [{ ...short.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256' }],
    });
    const [header, payload] = [{ alg: 'RS256', kid: 'k1' }, { sub: 'u-1' }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const { sign: signBytes } = await import('node:crypto');
    const signature = signBytes('sha256', Buffer.from(`${header}.${payload}`), short.privateKey).toString('base64url');

    expect(await outcome(authenticator(), `${header}.${payload}.${signature}`)).toBe('token_invalid');
  });
});

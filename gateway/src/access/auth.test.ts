import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createAuthenticator, type AuthOptions, type AuthOutcome } from './auth.ts';
import { limitAlgorithms, parsePublicKey, parseSecret, type VerificationKey } from './keys.ts';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1_000;
const SECRET = 'a shared secret of at least thirty-two bytes';

const clock = { now: (): number => NOW_MS };

const OPTIONS: Omit<AuthOptions, 'key'> = {
  clockToleranceMs: 0,
  maxTokenBytes: 16_384,
  subjectEncoding: 'none',
  role: { claim: 'role', fallback: 'customer' },
  claims: { all: new Set(['merchantId', 'name']), inSubjects: new Set(['merchantId']) },
  jwks: { timeoutMs: 1_000, cooldownMs: 0, maxAgeMs: 60_000 },
};

const must = (parsed: ReturnType<typeof parseSecret>): VerificationKey => {
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

const secretKey = must(parseSecret(SECRET));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const ed25519 = generateKeyPairSync('ed25519');
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
const jwk = (key: KeyObject): string => JSON.stringify(key.export({ format: 'jwk' }));

const claims = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  sub: 'u-1',
  iat: NOW - 60,
  exp: NOW + 60,
  ...over,
});

const sign = (payload: Record<string, unknown>, alg = 'HS256', key: KeyObject | Uint8Array = Buffer.from(SECRET)) =>
  new SignJWT(payload).setProtectedHeader({ alg }).sign(key);

/** A token whose parts are exactly these, signed as HS256 whatever its header says. */
const forge = (header: unknown, payload: unknown, key: string | Buffer = SECRET): string => {
  const encode = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
};

const outcome = async (token: string | undefined, over: Partial<AuthOptions> = {}): Promise<AuthOutcome> => {
  const result = await createAuthenticator({ ...OPTIONS, key: secretKey, ...over }, clock).verify(token);
  return result.ok ? 'accepted' : result.error;
};

describe('keys and algorithms', () => {
  const PAIRS: readonly [string, { publicKey: KeyObject; privateKey: KeyObject }][] = [
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, rsa] as [string, typeof rsa]),
    ['ES256', p256],
    ['ES384', p384],
    ['ES512', p521],
    ['EdDSA', ed25519],
    ['Ed25519', ed25519],
  ];

  test.each(PAIRS)('%s is verified with a PEM and with a JWK', async (alg, { publicKey, privateKey }) => {
    const token = await sign(claims(), alg, privateKey);

    expect(await outcome(token, { key: must(parsePublicKey(pem(publicKey))) })).toBe('accepted');
    expect(await outcome(token, { key: must(parsePublicKey(jwk(publicKey))) })).toBe('accepted');
  });

  test.each(['HS256', 'HS384', 'HS512'])('%s is verified with a shared secret', async (alg) => {
    expect(await outcome(await sign(claims(), alg))).toBe('accepted');
  });

  test.each(PAIRS)('a %s token of another key of the same kind is refused', async (alg, { publicKey }) => {
    const details = publicKey.asymmetricKeyDetails;
    const other =
      alg.startsWith('E') && details?.namedCurve
        ? generateKeyPairSync('ec', { namedCurve: details.namedCurve })
        : alg.startsWith('E')
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('rsa', { modulusLength: 2_048 });

    const token = await sign(claims(), alg, other.privateKey);

    expect(await outcome(token, { key: must(parsePublicKey(pem(publicKey))) })).toBe('token_invalid');
  });

  test('none is refused, with and without a signature, in any spelling', async () => {
    for (const alg of ['none', 'None', 'NONE', '', 'nOnE']) {
      expect(await outcome(forge({ alg }, claims()))).toBe('token_invalid');
      const [header, payload] = forge({ alg }, claims()).split('.');
      expect(await outcome(`${header}.${payload}.`)).toBe('token_invalid');
    }
  });

  test('HS256 signed with the text of the public key is refused', async () => {
    for (const { publicKey } of [rsa, p256, ed25519]) {
      for (const text of [pem(publicKey), pem(publicKey).trim(), jwk(publicKey)]) {
        expect(await outcome(forge({ alg: 'HS256' }, claims(), text), { key: must(parsePublicKey(text)) })).toBe(
          'token_invalid',
        );
      }
    }
  });

  test('an algorithm that was not configured is refused although the key could do it', async () => {
    const limited = limitAlgorithms(must(parsePublicKey(pem(rsa.publicKey))), ['PS256']);

    expect(limited.ok && (await outcome(await sign(claims(), 'RS256', rsa.privateKey), { key: limited.value }))).toBe(
      'token_invalid',
    );
    expect(limited.ok && (await outcome(await sign(claims(), 'PS256', rsa.privateKey), { key: limited.value }))).toBe(
      'accepted',
    );
  });

  test('the header says another algorithm than the one that signed: refused', async () => {
    for (const alg of ['HS384', 'HS512', 'RS256', 'ES256', 'EdDSA', 'toString', '__proto__', 1, null, ['HS256']]) {
      expect(await outcome(forge({ alg }, claims()))).toBe('token_invalid');
    }
  });

  test('a critical extension is refused, since none is understood', async () => {
    expect(
      await outcome(
        forge({ alg: 'HS256', crit: ['https://example.com/ext'], 'https://example.com/ext': true }, claims()),
      ),
    ).toBe('token_invalid');
  });
});

describe('times', () => {
  test('a token expires at its exp, not after it', async () => {
    expect(await outcome(await sign(claims({ exp: NOW + 1 })))).toBe('accepted');
    expect(await outcome(await sign(claims({ exp: NOW })))).toBe('token_expired');
    expect(await outcome(await sign(claims({ exp: 0 })))).toBe('token_expired');
  });

  test('a token is not valid before its nbf', async () => {
    expect(await outcome(await sign(claims({ nbf: NOW })))).toBe('accepted');
    expect(await outcome(await sign(claims({ nbf: NOW + 1 })))).toBe('token_invalid');
  });

  test('the tolerance moves both', async () => {
    const over = { clockToleranceMs: 5_000 };

    expect(await outcome(await sign(claims({ exp: NOW - 4 })), over)).toBe('accepted');
    expect(await outcome(await sign(claims({ exp: NOW - 5 })), over)).toBe('token_expired');
    expect(await outcome(await sign(claims({ nbf: NOW + 5 })), over)).toBe('accepted');
    expect(await outcome(await sign(claims({ nbf: NOW + 6 })), over)).toBe('token_invalid');
  });

  test('the open connection gets the tolerance too', async () => {
    const authenticator = createAuthenticator({ ...OPTIONS, key: secretKey, clockToleranceMs: 5_000 }, clock);

    const result = await authenticator.verify(await sign(claims({ exp: NOW - 4 })));

    expect(result.ok && result.value.expiresAtMs).toBe(NOW_MS + 1_000);
  });

  test('an odd exp still makes a whole number of milliseconds', async () => {
    const authenticator = createAuthenticator({ ...OPTIONS, key: secretKey }, clock);
    const expiryOf = async (exp: number): Promise<number | undefined> => {
      const result = await authenticator.verify(forge({ alg: 'HS256' }, claims({ exp })));
      return result.ok ? result.value.expiresAtMs : undefined;
    };

    expect(await expiryOf(NOW + 0.0001)).toBe(NOW_MS);
    expect(await expiryOf(1e300)).toBe(Number.MAX_SAFE_INTEGER);
    expect(await expiryOf(1e308)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('times that are no numbers are refused', async () => {
    for (const over of [{ exp: '9999999999' }, { exp: null }, { nbf: '0' }, { iat: 'now' }, { exp: [NOW + 9] }]) {
      expect(await outcome(forge({ alg: 'HS256' }, claims(over)))).toBe('token_invalid');
    }
  });

  test('a forged token is invalid, not expired: its times mean nothing', async () => {
    expect(await outcome(forge({ alg: 'HS256' }, claims({ exp: NOW - 60 }), 'another key'))).toBe('token_invalid');
  });

  test('a token without exp does not expire', async () => {
    const { exp: _, ...eternal } = claims();

    const result = await createAuthenticator({ ...OPTIONS, key: secretKey }, clock).verify(await sign(eternal));

    expect(result.ok && 'expiresAtMs' in result.value).toBe(false);
  });
});

describe('issuer, audience, subject, role', () => {
  test('the issuer must be one of those configured', async () => {
    const issuer = ['https://a', 'https://b'];

    expect(await outcome(await sign(claims({ iss: 'https://b' })), { issuer })).toBe('accepted');
    expect(await outcome(await sign(claims({ iss: 'https://c' })), { issuer })).toBe('token_invalid');
    expect(await outcome(await sign(claims()), { issuer })).toBe('token_invalid');
    expect(await outcome(await sign(claims({ iss: ['https://b'] })), { issuer })).toBe('token_invalid');
  });

  test('one audience must be one of those configured', async () => {
    const audience = ['sluice'];

    expect(await outcome(await sign(claims({ aud: 'sluice' })), { audience })).toBe('accepted');
    expect(await outcome(await sign(claims({ aud: ['shop', 'sluice'] })), { audience })).toBe('accepted');
    expect(await outcome(await sign(claims({ aud: 'shop' })), { audience })).toBe('token_invalid');
    expect(await outcome(await sign(claims({ aud: [] })), { audience })).toBe('token_invalid');
    expect(await outcome(await sign(claims()), { audience })).toBe('token_invalid');
  });

  test.each([
    undefined,
    null,
    '',
    '*',
    '>',
    'a.b',
    'a b',
    'a\u0000',
    7,
    {},
    ['u-1'],
    'x'.repeat(129),
    'x'.repeat(10_240),
    'auth0|a.b',
  ])('an unsafe sub is refused: %j', async (sub) => {
    expect(await outcome(forge({ alg: 'HS256' }, claims({ sub })))).toBe('token_invalid');
  });

  test('with the percent encoding, what enters subjects is spelled safely, and what people read is left alone', async () => {
    const authenticator = createAuthenticator({ ...OPTIONS, key: secretKey, subjectEncoding: 'percent' }, clock);

    const one = await authenticator.verify(
      await sign(claims({ sub: 'auth0|a.b', merchantId: ['m.1', 'm:2', 3], name: 'Ada L.' })),
    );
    const empty = await authenticator.verify(await sign(claims({ sub: '' })));

    expect(one.ok && one.value.subject).toBe('auth0|a%2Eb');
    expect(one.ok && one.value.claims).toEqual({ merchantId: ['m%2E1', 'm%3A2', 3], name: 'Ada L.' });
    expect(empty.ok).toBe(false);
  });

  test('a missing role is the fallback, one that is no text is refused', async () => {
    const authenticator = createAuthenticator({ ...OPTIONS, key: secretKey }, clock);
    const roleOf = async (role: unknown): Promise<string | undefined> => {
      const result = await authenticator.verify(forge({ alg: 'HS256' }, claims({ role })));
      return result.ok ? result.value.role : undefined;
    };

    expect(await roleOf(undefined)).toBe('customer');
    expect(await roleOf(null)).toBe('customer');
    expect(await roleOf('admin')).toBe('admin');
    expect(await roleOf('')).toBe('');
    expect(await roleOf(['admin'])).toBeUndefined();
    expect(await roleOf(0)).toBeUndefined();
  });

  test('a principal keeps only the claims that the catalogue reads', async () => {
    const token = forge(
      { alg: 'HS256' },
      `{"sub":"u-1","merchantId":"m-1","email":"a@b","__proto__":{"merchantId":"m-2"}}`,
    );

    const result = await createAuthenticator({ ...OPTIONS, key: secretKey }, clock).verify(token);

    expect(result.ok && result.value).toEqual({ subject: 'u-1', role: 'customer', claims: { merchantId: 'm-1' } });
  });
});

describe('what is no token', () => {
  test('none at all is missing', async () => {
    expect(await outcome(undefined)).toBe('token_missing');
    expect(await outcome('')).toBe('token_missing');
  });

  test('a token at the size limit is read, one beyond it is not', async () => {
    const token = await sign(claims({ padding: 'x'.repeat(1_000) }));

    expect(await outcome(token, { maxTokenBytes: token.length })).toBe('accepted');
    expect(await outcome(token, { maxTokenBytes: token.length - 1 })).toBe('token_invalid');
  });

  test('any changed character makes it invalid', async () => {
    const token = await sign(claims());
    // The last character carries two bits of padding that decoders ignore.
    for (let i = 0; i < token.length - 1; i++) {
      const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
      expect(await outcome(changed)).toBe('token_invalid');
    }
  });

  test.each([
    'x',
    '.',
    '..',
    '...',
    'a.b.c',
    'eyJhbGciOiJIUzI1NiJ9..',
    'Bearer eyJhbGciOiJIUzI1NiJ9.e30.x',
    ' ',
    '\u0000',
    'é.é.é',
    'x'.repeat(20_000),
    forge('[]', claims()),
    forge('null', claims()),
    forge({ alg: 'HS256' }, '[]'),
    forge({ alg: 'HS256' }, '"u-1"'),
    forge({ alg: 'HS256' }, 'null'),
    forge({ alg: 'HS256' }, '{"sub":'),
    forge({ alg: 'HS256' }, '{"sub":'.repeat(1_000)),
    `${forge({ alg: 'HS256' }, claims())}.x`,
  ])('garbage is invalid: %#', async (token) => {
    expect(await outcome(token)).toBe('token_invalid');
  });

  test('a payload that is not UTF-8 is invalid', async () => {
    const payload = Buffer.concat([Buffer.from('{"sub":"u-'), Buffer.from([0xff]), Buffer.from('"}')]);
    const signed = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${payload.toString('base64url')}`;
    const token = `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;

    expect(await outcome(token)).toBe('token_invalid');
  });
});

test('outcomes are counted', async () => {
  const authenticator = createAuthenticator({ ...OPTIONS, key: secretKey }, clock);

  await authenticator.verify(undefined);
  await authenticator.verify('x');
  await authenticator.verify(await sign(claims({ exp: 1 })));
  await authenticator.verify(await sign(claims()));
  await authenticator.verify(await sign(claims()));

  expect(authenticator.outcomes).toEqual({
    accepted: 2,
    token_missing: 1,
    token_invalid: 1,
    token_expired: 1,
    auth_unavailable: 0,
  });
});

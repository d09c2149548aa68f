import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { limitAlgorithms, parseJwksUrl, parsePublicKey, parseSecret } from './keys.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));
const pkcs8 = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }));
const jwk = (key: KeyObject, over: object = {}): string =>
  JSON.stringify({ ...key.export({ format: 'jwk' }), ...over });

describe('a shared secret', () => {
  test('is measured in bytes', () => {
    expect(parseSecret('x'.repeat(31)).ok).toBe(false);
    expect(parseSecret('x'.repeat(32)).ok).toBe(true);
    expect(parseSecret('é'.repeat(16)).ok).toBe(true);
  });

  test('is no PEM key', () => {
    expect(parseSecret(spki(rsa.publicKey)).ok).toBe(false);
  });
});

describe('a public key', () => {
  test('allows the algorithms of its kind', () => {
    const algorithmsOf = (key: KeyObject): readonly string[] => {
      const parsed = parsePublicKey(spki(key));
      return parsed.ok ? parsed.value.algorithms : [parsed.error];
    };

    expect(algorithmsOf(rsa.publicKey)).toEqual(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
    expect(algorithmsOf(ec.publicKey)).toEqual(['ES256']);
    expect(algorithmsOf(generateKeyPairSync('ed25519').publicKey)).toEqual(['EdDSA', 'Ed25519']);
  });

  test('of an unsupported kind or size is refused', () => {
    for (const { publicKey } of [
      generateKeyPairSync('rsa', { modulusLength: 1_024 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('x25519'),
    ]) {
      expect(parsePublicKey(spki(publicKey)).ok).toBe(false);
    }
  });

  test('is not a private one, which nobody should give to a gateway', () => {
    expect(parsePublicKey(pkcs8(rsa.privateKey)).ok).toBe(false);
    expect(parsePublicKey(String(ec.privateKey.export({ type: 'sec1', format: 'pem' }))).ok).toBe(false);
    expect(parsePublicKey(jwk(ec.privateKey)).ok).toBe(false);
  });

  test('as a JWK keeps to its own alg and use', () => {
    const narrowed = parsePublicKey(jwk(rsa.publicKey, { alg: 'PS256', use: 'sig' }));

    expect(narrowed.ok && narrowed.value.algorithms).toEqual(['PS256']);
    expect(parsePublicKey(jwk(rsa.publicKey, { alg: 'HS256' })).ok).toBe(false);
    expect(parsePublicKey(jwk(rsa.publicKey, { alg: 'ES256' })).ok).toBe(false);
    expect(parsePublicKey(jwk(rsa.publicKey, { use: 'enc' })).ok).toBe(false);
    expect(parsePublicKey('{"kty":"oct","k":"c2VjcmV0"}').ok).toBe(false);
  });

  test.each(['', 'x', '{', '{}', '-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----'])(
    'is not %j, and the fault does not quote it',
    (text) => {
      const parsed = parsePublicKey(text);

      expect(parsed).toEqual({ ok: false, error: 'is neither a PEM public key nor a JWK' });
    },
  );
});

test('a key set is fetched over https, or from the same machine', () => {
  for (const url of ['https://idp.example/keys', 'http://localhost:9/k', 'http://127.0.0.1/k', 'http://[::1]/k']) {
    expect(parseJwksUrl(url).ok).toBe(true);
  }
  for (const url of ['http://idp.example/keys', 'ftp://x/k', 'file:///etc/keys', 'keys', '']) {
    expect(parseJwksUrl(url).ok).toBe(false);
  }
});

test('algorithms can be narrowed, never widened', () => {
  const parsed = parsePublicKey(spki(ec.publicKey));

  for (const foreign of [['none'], ['HS256'], ['ES256', 'RS256']]) {
    expect(parsed.ok && limitAlgorithms(parsed.value, foreign).ok).toBe(false);
  }
  expect(parsed.ok && limitAlgorithms(parsed.value, ['ES256']).ok).toBe(true);
});

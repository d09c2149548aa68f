// The gateway judges claims and local signatures itself, for speed; jose judges the same tokens here, and must agree.
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { errors, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { createAuthenticator, type AuthOutcome } from './auth.ts';
import { parsePublicKey, parseSecret } from './keys.ts';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1_000;
const SECRET = 'a shared secret of at least thirty-two bytes';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const seconds = fc.integer({ min: -8, max: 8 }).map((offset) => NOW + offset);
const audience = fc.constantFrom('sluice', 'shop', ['shop', 'sluice'], ['shop'], []);
const payload = fc.record(
  {
    exp: fc.oneof({ weight: 5, arbitrary: seconds }, fc.constantFrom('soon', null, 0, -1, 1e300)),
    nbf: fc.oneof({ weight: 5, arbitrary: seconds }, fc.constantFrom('soon', 0, -1)),
    iat: fc.oneof({ weight: 5, arbitrary: seconds }, fc.constantFrom('soon', 0)),
    iss: fc.constantFrom('https://a', 'https://b', ''),
    aud: audience,
  },
  { requiredKeys: [] },
);
const rules = fc.record({
  issuer: fc.constantFrom(undefined, ['https://a'], ['https://a', 'https://b']),
  audience: fc.constantFrom(undefined, ['sluice']),
  clockToleranceMs: fc.constantFrom(0, 1_000, 5_000),
});

const asOutcome = (error: unknown): AuthOutcome =>
  error instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid';

test('the verdict is the one of jose', async () => {
  const secret = parseSecret(SECRET);
  const publicKey = parsePublicKey(String(pair.publicKey.export({ type: 'spki', format: 'pem' })));
  if (!secret.ok || !publicKey.ok) throw new Error('keys');
  const seen = new Set<AuthOutcome>();

  await fc.assert(
    fc.asyncProperty(
      payload,
      rules,
      fc.constantFrom('HS256', 'HS512', 'ES256'),
      fc.option(fc.nat({ max: 200 }), { freq: 4 }),
      async (claims, { issuer, audience, clockToleranceMs }, alg, damagedAt) => {
        const signingKey = alg === 'ES256' ? pair.privateKey : createSecretKey(Buffer.from(SECRET));
        const signed = await new SignJWT({ sub: 'u-1', ...(claims as object) })
          .setProtectedHeader({ alg })
          .sign(signingKey);
        const at = damagedAt === null ? signed.length : damagedAt % (signed.length - 1);
        const token =
          at === signed.length
            ? signed
            : `${signed.slice(0, at)}${signed[at] === 'A' ? 'B' : 'A'}${signed.slice(at + 1)}`;
        const key = alg === 'ES256' ? publicKey.value : secret.value;
        if (key.kind === 'jwks') throw new Error('not here');
        const ours = createAuthenticator(
          {
            key,
            ...(issuer && { issuer }),
            ...(audience && { audience }),
            clockToleranceMs,
            maxTokenBytes: 16_384,
            subjectEncoding: 'none',
            role: { claim: 'role', fallback: 'customer' },
            claims: new Set(),
            jwks: { timeoutMs: 1, cooldownMs: 1, maxAgeMs: 1 },
          },
          { now: () => NOW_MS },
        );

        const result = await ours.verify(token);
        const expected = await jwtVerify(token, key.key, {
          algorithms: [...key.algorithms],
          ...(issuer && { issuer: [...issuer] }),
          ...(audience && { audience: [...audience] }),
          clockTolerance: clockToleranceMs / 1_000,
          currentDate: new Date(NOW_MS),
        }).then((): AuthOutcome => 'accepted', asOutcome);

        const verdict = result.ok ? 'accepted' : result.error;
        seen.add(verdict);
        expect(verdict).toBe(expected);
      },
    ),
    { numRuns: 600 },
  );

  expect([...seen].sort()).toEqual(['accepted', 'token_expired', 'token_invalid']);
});

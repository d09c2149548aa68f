// Tokens are only as good a test as they are what their names say.
import { createPublicKey } from 'node:crypto';
import { jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { TEST_SECRET, badTokens, customerToken, keyConfusionToken, keyIssuer, startJwksServer } from './token.ts';

const secret = new TextEncoder().encode(TEST_SECRET);

test('a good token verifies and carries its claims', async () => {
  const { payload } = await jwtVerify(await customerToken('u-7'), secret, { algorithms: ['HS256'] });

  expect(payload.sub).toBe('u-7');
});

test('no bad token verifies', async () => {
  for (const [name, token] of Object.entries(await badTokens())) {
    await expect(jwtVerify(token, secret, { algorithms: ['HS256'] }), name).rejects.toThrow();
  }
});

test.each(['ES256', 'RS256'] as const)('%s tokens verify under the published key', async (algorithm) => {
  const issuer = await keyIssuer(algorithm);
  const token = await issuer.sign({ sub: 'u-1' }, { audience: 'sluice' });

  const { protectedHeader } = await jwtVerify(token, createPublicKey(issuer.publicPem), { audience: 'sluice' });

  expect(protectedHeader).toMatchObject({ alg: algorithm, kid: 'key-1' });
});

test('a key confusion token verifies where the public key is taken for a secret', async () => {
  const { publicPem } = await keyIssuer('RS256');
  const token = keyConfusionToken(publicPem, { sub: 'u-1' });

  const { payload } = await jwtVerify(token, new TextEncoder().encode(publicPem));

  expect(payload.sub).toBe('u-1');
});

test('the key server serves what it is given, and can be unavailable', async () => {
  const { publicJwk } = await keyIssuer('ES256', 'rotated');
  await using server = await startJwksServer([]);
  server.setKeys([publicJwk]);

  expect(await (await fetch(server.url)).json()).toEqual({ keys: [publicJwk] });
  server.setAvailable(false);
  expect((await fetch(server.url)).status).toBe(503);
  expect(server.requests()).toBe(2);
});

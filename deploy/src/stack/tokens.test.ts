import { decodeJwt, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { signToken } from './tokens.ts';

const SECRET = 'a secret of at least thirty-two bytes';

test('a token verifies with the text of the secret and says who it is', async () => {
  const token = await signToken(SECRET, { sub: 'u-1', role: 'admin' });

  const { payload } = await jwtVerify(token, new TextEncoder().encode(SECRET), { algorithms: ['HS256'] });
  expect(payload).toMatchObject({ sub: 'u-1', role: 'admin' });
  expect(payload.exp).toBeGreaterThan(payload.iat ?? Number.POSITIVE_INFINITY);
});

test('a claim that was not asked for is absent, and several merchants are a list', async () => {
  expect(Object.keys(decodeJwt(await signToken(SECRET, { sub: 'u-1' }))).sort()).toEqual(['exp', 'iat', 'sub']);
  expect(decodeJwt(await signToken(SECRET, { sub: 'u-2', merchantIds: ['m-1'] }))['merchantId']).toBe('m-1');
  expect(decodeJwt(await signToken(SECRET, { sub: 'u-2', merchantIds: ['m-1', 'm-2'] }))['merchantId']).toEqual([
    'm-1',
    'm-2',
  ]);
});

// What a request may cost before it is refused.
import { command, type Catalogue } from '@sluice/schemas';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { RequestCheck } from './request-check.ts';

const MAX_BYTES = 100_000;
let looked = 0;
/** Counts how often it is read. */
const Counted = Type.Refine(Type.String({ minLength: 1 }), () => {
  looked++;
  return true;
});
const add = command({
  name: 'note.add',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({ tags: Type.Array(Counted, { maxItems: 10 }) }),
});
const catalogue = { commands: new Map([[add.name, add]]), calls: new Map(), actorClaims: [] } as unknown as Catalogue;
const check = (data: Record<string, unknown>) => {
  looked = 0;
  const who = { subject: 'u-1', role: 'customer', claims: {} };
  return new RequestCheck(catalogue, MAX_BYTES).command(who, 'note.add', 'c-1', data);
};
const tags = (count: number) => ({ tags: Array.from({ length: count }, () => 'a') });

test('what is too long is not looked at', () => {
  expect(check(tags(30_000))).toEqual({
    ok: false,
    error: { code: 'invalid_command', message: '120010 bytes as stored, at most 100000 are taken' },
  });
  expect(looked).toBe(0);
});

describe('what does not fit', () => {
  test('is told where, if it is short', () => {
    expect(check(tags(11))).toMatchObject({ error: { message: '/tags must not have more than 10 items' } });
    expect(check({ tags: [7] })).toMatchObject({ error: { message: '/tags/0 must be string' } });
  });

  test('is looked at once, if it is long: explaining takes a hundred times as long as refusing', () => {
    expect(check(tags(20_000))).toMatchObject({ error: { message: 'does not fit its schema' } });
    expect(looked).toBeLessThanOrEqual(20_000);
  });
});

test('what fits is taken, however long', () => {
  expect(check({ tags: ['x'.repeat(90_000)] }).ok).toBe(true);
});

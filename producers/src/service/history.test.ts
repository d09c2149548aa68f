import { expect, test } from 'vitest';
import { messageIdOf, type Remainder } from './decision.ts';
import { History } from './history.ts';

const CAUSE = 'c'.repeat(22);
const OTHER = 'o'.repeat(22);
const TWO_MORE: Remainder = {
  events: [
    { type: 'cart.item_reserved', keys: {}, payload: {} },
    { type: 'cart.item_released', keys: {}, payload: {} },
  ],
  effects: [],
};

const first = (cause: string, sequence: number, remainder?: Remainder) => ({
  ...{ messageId: messageIdOf(cause, 0), remainder, stream: 'SHOP', sequence, timeMs: sequence * 1_000 },
  guards: ['cart.u-1.cart-u-1.*', 'cart.u-1.cart-u-1.sync'],
});

const rest = (cause: string, index: number, sequence: number) => ({
  ...{ messageId: messageIdOf(cause, index), remainder: undefined, stream: 'USER', sequence, timeMs: sequence * 1_000 },
  guards: ['wallet.u-1.balance_updated'],
});

test('knows how far each guard is, whoever published', () => {
  const history = new History();
  history.add({ ...first(CAUSE, 5), messageId: 'from-somebody-else' });
  expect(history.sequenceOf('cart.u-1.cart-u-1.*')).toBe(5);
  expect(history.sequenceOf('cart.u-2.cart-u-2.*')).toBe(0);
  expect(history.made(CAUSE)).toBeUndefined();
});

test('a decision is unfinished until all of its events are stored, each counted once', () => {
  const history = new History();
  history.add(first(CAUSE, 1, TWO_MORE));
  expect(history.unfinishedUnder('cart.u-1.cart-u-1.*').map(({ cause }) => cause)).toEqual([CAUSE]);
  history.add(rest(CAUSE, 1, 2));
  history.add(rest(CAUSE, 1, 3));
  expect(history.isRestStored(CAUSE, 1)).toBe(true);
  expect(history.isRestStored(CAUSE, 2)).toBe(false);
  expect(history.unfinished(CAUSE)).toBeDefined();
  history.add(rest(CAUSE, 2, 4));
  expect(history.unfinished(CAUSE)).toBeUndefined();
  expect(history.unfinishedUnder('cart.u-1.cart-u-1.*')).toEqual([]);
  expect(history.made(CAUSE)).toMatchObject({ stream: 'SHOP', sequence: 1 });
});

test('streams may be read in any order', () => {
  const history = new History();
  history.add(rest(CAUSE, 1, 2));
  history.add(rest(CAUSE, 2, 4));
  history.add(first(CAUSE, 1, TWO_MORE));
  expect(history.made(CAUSE)).toBeDefined();
  expect(history.allUnfinished()).toEqual([]);
});

test('forgets what is old, but nothing that is unfinished', () => {
  const history = new History();
  history.add(first(CAUSE, 1, TWO_MORE));
  history.add(first(OTHER, 2));
  history.forget(10_000);
  expect(history.made(OTHER)).toBeUndefined();
  expect(history.made(CAUSE)).toBeDefined();
});

test('what is known only by a later event is dropped after a while, unless the first one came', () => {
  const history = new History();
  history.add(rest(CAUSE, 1, 2));
  history.add(rest(OTHER, 1, 3));
  history.forget(0);
  history.add(first(CAUSE, 1, TWO_MORE));
  history.forget(0);
  expect(history.isRestStored(CAUSE, 1)).toBe(true);
  expect(history.isRestStored(OTHER, 1)).toBe(false);
});

test('a copy goes on where the original was', () => {
  const history = new History();
  history.add(first(CAUSE, 1, TWO_MORE));
  history.add(rest(CAUSE, 1, 2));
  const restored = new History();
  restored.restore(structuredClone(history.copy));
  expect(restored.unfinishedUnder('cart.u-1.cart-u-1.*').map(({ cause }) => cause)).toEqual([CAUSE]);
  expect(restored.sequenceOf('wallet.u-1.balance_updated')).toBe(2);
  restored.add(rest(CAUSE, 2, 3));
  expect(restored.allUnfinished()).toEqual([]);
  expect(restored.made(CAUSE)).toMatchObject({ sequence: 1 });
});

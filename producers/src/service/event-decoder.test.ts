import { packValue, rez } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { EventDecoder, filtersOf } from './event-decoder.ts';

const decoder = new EventDecoder(rez);
const payload = { storeId: 's-1', open: true, timestamp: '2026-01-01T00:00:00.000Z' };
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test.each([
  ['msgpack', packValue(payload)],
  ['JSON', bytes(payload)],
])('decodes %s', (_, data) => {
  expect(decoder.decode('store.s-1.status_changed', data)).toEqual({
    ...{ type: 'store.status_changed', keys: { storeId: 's-1' }, payload, subject: 'store.s-1.status_changed' },
  });
});

test.each([
  ['another family', 'shop.s-1.status_changed', packValue(payload)],
  ['another type', 'store.s-1.opened', packValue(payload)],
  ['more tokens', 'store.s-1.x.status_changed', packValue(payload)],
  ['a delete marker', 'store.s-1.status_changed', new Uint8Array()],
  ['a payload that does not fit', 'store.s-1.status_changed', packValue({ storeId: 's-1' })],
  ['half a payload', 'store.s-1.status_changed', packValue(payload).subarray(0, 9)],
  ['more than a payload', 'store.s-1.status_changed', new Uint8Array([...packValue(payload), 1])],
  ['text', 'store.s-1.status_changed', new TextEncoder().encode('{open')],
])('%s is no event', (_, subject, data) => {
  expect(decoder.decode(subject, data)).toBeUndefined();
});

test('filters cover each type once, in the order given', () => {
  const filters = filtersOf(decoder.families, ['cart.sync', 'order.created', 'cart', 'cart.item_reserved', 'product']);
  expect([...filters]).toEqual([
    ['SHOP', ['cart.*.*.*', 'product.*.*.*']],
    ['ORDER', ['order.*.*.*.created']],
  ]);
});

test.each(['carts', 'cart.synced', 'chat.typing'])('%s cannot be read', (name) => {
  expect(() => filtersOf(decoder.families, [name])).toThrow(expect.objectContaining({ code: 'unknown_type' }));
});

import { parsePosition, type Position } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { Cursor } from './cursor.ts';

const at = (text: string): Position => {
  const parsed = parsePosition(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
};

const TWO_STREAMS: [number, string][] = [
  [1, 'orders'],
  [2, 'payments'],
];

test('a stream that begins with a snapshot has no entry, so that nothing of it is a duplicate', () => {
  const cursor = new Cursor();

  const [orders, payments] = cursor.begin(TWO_STREAMS, at('k~payments.5.9'), false);

  expect(orders!.sequence).toBe(-1);
  expect(payments!.sequence).toBe(5);
  expect(cursor.encoded()).toBe('k~payments.5.9');
});

test('there is no position before the first entry', () => {
  const cursor = new Cursor();
  cursor.begin(TWO_STREAMS, at('k'), false);

  expect(cursor.encoded()).toBeUndefined();
});

test('a recovered subscription keeps what is further on, its own or the gateway’s', () => {
  const cursor = new Cursor(at('k~orders.7.1~payments.2.1'));

  cursor.begin(TWO_STREAMS, at('k~orders.5.1~payments.4.2'), true);

  expect(cursor.encoded()).toBe('k~orders.7.1~payments.4.2');
});

test('streams that a channel no longer has leave the position', () => {
  const cursor = new Cursor(at('k~gone.7.1~orders.2.1'));

  cursor.begin([[1, 'orders']], at('k~orders.2.1'), true);

  expect(cursor.encoded()).toBe('k~orders.2.1');
});

test('a head raises an entry, never lowers it, and never makes one', () => {
  const cursor = new Cursor();
  cursor.begin(TWO_STREAMS, at('k~orders.5.1'), false);

  expect(cursor.raiseToHeads([['orders', 9, 2]])).toBe(true);
  expect(cursor.raiseToHeads([['orders', 8, 1]])).toBe(false);
  expect(cursor.raiseToHeads([['payments', 8, 1]])).toBe(false);
  expect(cursor.raiseToHeads([['other', 8, 1]])).toBe(false);

  expect(cursor.encoded()).toBe('k~orders.9.2');
});

test('only a reset moves an entry back', () => {
  const cursor = new Cursor();
  cursor.begin(TWO_STREAMS, at('k~orders.9.1~payments.9.1'), false);

  cursor.reach(at('k~orders.3.1'));
  expect(cursor.encoded()).toBe('k~orders.9.1~payments.9.1');

  cursor.reset(at('j~orders.3.1'), TWO_STREAMS);
  expect(cursor.encoded()).toBe('j~orders.3.1');
});

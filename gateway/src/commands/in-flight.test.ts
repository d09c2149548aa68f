import { expect, test } from 'vitest';
import { enterAll, InFlight } from './in-flight.ts';

test('takes so many, and so many bytes, and not one more (I5)', () => {
  const flight = new InFlight({ count: 2, bytes: 100 });
  expect(flight.hasRoom(101)).toBe(false);
  flight.add(60);
  expect([flight.hasRoom(40), flight.hasRoom(41)]).toEqual([true, false]);
  flight.add(10);
  expect(flight.hasRoom(0)).toBe(false);
  flight.remove(60);
  expect([flight.count, flight.bytes, flight.hasRoom(90)]).toEqual([1, 10, true]);
});

test('enters all or none, and leaves once', () => {
  const wide = new InFlight({ count: 10, bytes: 1_000 });
  const narrow = new InFlight({ count: 1, bytes: 1_000 });
  const leave = enterAll([wide, narrow], 100);

  expect(enterAll([wide, narrow], 100)).toBeUndefined();
  expect([wide.count, wide.bytes, narrow.count]).toEqual([1, 100, 1]);
  leave?.();
  leave?.();
  expect([wide.count, wide.bytes, narrow.count, narrow.bytes]).toEqual([0, 0, 0, 0]);
});

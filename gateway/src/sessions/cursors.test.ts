import { expect, test } from 'vitest';
import type { StoredEvent } from '../log/cold.ts';
import { cursorsFrom, takePage } from './cursors.ts';

const stored = (sequence: number, expiresAtMs?: number): StoredEvent => ({
  sequence,
  timeMs: sequence,
  subject: 'sale.s-1.started',
  payload: Uint8Array.of(0x80),
  isMarker: false,
  expiresAtMs,
});

test('what was read from JetStream keeps its end, first events and pages alike', () => {
  const [cursor] = cursorsFrom([
    { after: 2, timeMs: 0, events: [stored(1), stored(2, 500)], through: 2, isSettled: false },
  ]);
  const ends = () => [0, 1].map((number) => cursor!.cold!.segment.expiresAtMs(number));
  expect(ends()).toEqual([Number.POSITIVE_INFINITY, 500]);
  takePage(cursor!, [stored(3, 700), stored(4)], 4);

  expect(ends()).toEqual([700, Number.POSITIVE_INFINITY]);
});

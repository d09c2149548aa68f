import { expect, test } from 'vitest';
import { BACKOFF_SCHEDULE_MS, backoffMs } from './backoff.ts';

test('the ceiling follows 1, 2, 4, 8, 16 seconds and stays there', () => {
  const almostOne = 1 - Number.EPSILON;

  const ceilings = [1, 2, 3, 4, 5, 6, 10].map((failures) => Math.round(backoffMs(failures, almostOne)));

  expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000]);
});

test('jitter is full: from nothing to the whole delay', () => {
  expect(backoffMs(3, 0)).toBe(0);
  expect(backoffMs(3, 0.5)).toBe(2_000);
});

test('what the gateway asked for is waited out before the jitter, up to a minute', () => {
  expect(backoffMs(1, 0.5, { retryAfterMs: 3_000 })).toBe(3_500);
  expect(backoffMs(1, 0, { retryAfterMs: 3_600_000 })).toBe(60_000);
  expect(backoffMs(1, 0, { retryAfterMs: -5 })).toBe(0);
});

test('a schedule of its own is followed; an empty one means at once', () => {
  expect(backoffMs(9, 0.5, { scheduleMs: [10, 20] })).toBe(10);
  expect(backoffMs(1, 0.9, { scheduleMs: [] })).toBe(0);
  expect(backoffMs(0, 0.5)).toBe(BACKOFF_SCHEDULE_MS[0] / 2);
});

import { expect, test } from 'vitest';
import { toTimeToLive } from './time-to-live.ts';

test.each([
  [-1, '1s'],
  [0, '1s'],
  [1_000, '1s'],
  [1_001, '2s'],
  [3_600_000, '3600s'],
  [Date.parse('9999-12-31'), '3153600000s'],
])('%i ms are %s', (ms, text) => {
  expect(toTimeToLive(ms)).toBe(text);
});

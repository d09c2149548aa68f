import { expect, test } from 'vitest';
import { Deadlines } from './deadlines.ts';
import type { SessionLimits } from './pod.ts';

const LIMITS = { pingIntervalMs: 25_000, helloTimeoutMs: 5_000, tokenExpiringMs: 60_000 } as SessionLimits;
const open = (expiresAtMs?: number): Deadlines => {
  const deadlines = new Deadlines(LIMITS, 0);
  deadlines.open(0, 0, expiresAtMs);
  return deadlines;
};

test('a connection without a verified hello ends at its deadline, however much it says', () => {
  const deadlines = new Deadlines(LIMITS, 0);
  deadlines.heard(4_999);

  expect(deadlines.take(4_999, false)).toEqual([]);
  expect(deadlines.take(5_000, false)).toEqual(['hello_timeout']);
});

test('pings come at their interval; a peer that does not read is left alone', () => {
  const deadlines = open();

  expect(deadlines.take(12_500, false)).toEqual(['ping']);
  expect(deadlines.take(37_499, false)).toEqual([]);
  expect(deadlines.take(37_500, true)).toEqual([]);
  expect(deadlines.take(38_500, false)).toEqual(['ping']);
});

test('silence for two intervals ends the connection', () => {
  const deadlines = open();
  deadlines.take(12_500, false);

  expect(deadlines.take(55_000, false)).toEqual(['ping']);
  expect(deadlines.take(80_001, false)).toEqual(['pong_timeout']);
});

test('a token is announced once before its end, and ends the connection', () => {
  const deadlines = open(3_600_000);

  expect(deadlines.take(3_540_000, false)).toContain('pong_timeout');
  deadlines.heard(3_540_000);
  expect(deadlines.take(3_540_000, false)).toEqual(['token_expiring', 'ping']);
  expect(deadlines.take(3_540_001, false)).toEqual([]);
  deadlines.heard(3_600_000);
  expect(deadlines.take(3_600_000, false)).toEqual(['token_expired']);
});

test('a token that lives for half a minute is announced in the last third, not at once for ever', () => {
  const deadlines = open(30_000);

  expect(deadlines.nextMs).toBe(12_500);
  expect(deadlines.take(12_500, false)).toEqual(['ping']);
  expect(deadlines.take(20_000, false)).toEqual(['token_expiring']);
  deadlines.renew(20_000, 50_000);
  expect(deadlines.expiresInMs(20_000)).toBe(30_000);
  expect(deadlines.take(37_500, false)).toEqual(['ping']);
  expect(deadlines.take(40_000, false)).toEqual(['token_expiring']);
});

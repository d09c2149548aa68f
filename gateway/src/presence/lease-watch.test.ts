// When a pod counts as dead: by store times, as far as our own lease vouches for them.
import { expect, test } from 'vitest';
import { LeaseWatch } from './lease-watch.ts';
import type { Lease, LeaseState } from './store.ts';

const lease = (pod: string, timeMs: number, state: LeaseState = 'alive'): Lease => ({
  pod,
  state,
  sequence: timeMs,
  timeMs,
});
const suspects = (watch: LeaseWatch, ...leases: readonly Lease[]): string[] =>
  watch.observe(leases, 'me').map(({ pod }) => pod);

/** Observed every 4 s from 0 on, the other one last seen at `seenMs`. */
const after = (ms: number, other: Lease): string[] => {
  const watch = new LeaseWatch(16_000);
  let found: string[] = [];
  for (let now = 0; now <= ms; now += 4_000) found = suspects(watch, lease('me', now), other);
  return found;
};

test('a lease that stands still for long enough while ours moves', () => {
  expect(after(12_000, lease('other', 0))).toEqual([]);
  expect(after(16_000, lease('other', 0))).toEqual(['other']);
  expect(after(16_000, lease('other', 4_000))).toEqual([]);
});

test('who has just come gives everybody the whole time, however old their leases are', () => {
  expect(after(12_000, lease('other', -500_000))).toEqual([]);
  expect(after(16_000, lease('other', -500_000))).toEqual(['other']);
});

test('a time in which ours stood still as well counts for nobody', () => {
  const watch = new LeaseWatch(16_000);
  for (const now of [0, 4_000, 8_000]) suspects(watch, lease('me', now), lease('other', 8_000));

  expect(suspects(watch, lease('me', 60_000), lease('other', 8_000))).toEqual([]);
  for (const now of [64_000, 68_000, 72_000])
    expect(suspects(watch, lease('me', now), lease('other', 8_000))).toEqual([]);
  expect(suspects(watch, lease('me', 76_000), lease('other', 8_000))).toEqual(['other']);
});

test('a server whose clock was set back begins anew', () => {
  const watch = new LeaseWatch(16_000);
  for (let now = 100_000; now <= 116_000; now += 4_000) suspects(watch, lease('me', now), lease('other', now));

  expect(suspects(watch, lease('me', 50_000), lease('other', 48_000))).toEqual([]);
  expect(suspects(watch, lease('me', 54_000), lease('other', 52_000))).toEqual([]);
});

test('who died before the clock of the server was set back is dead as soon as any other', () => {
  const watch = new LeaseWatch(16_000);
  const dead = { ...lease('other', 100_000), sequence: 10 };
  const mine = (sequence: number, timeMs: number): Lease => ({ ...lease('me', timeMs), sequence });
  suspects(watch, mine(11, 102_000), dead);

  for (const at of [0, 1, 2, 3]) expect(suspects(watch, mine(12 + at, 50_000 + at * 4_000), dead)).toEqual([]);
  expect(suspects(watch, mine(16, 66_000), dead)).toEqual(['other']);
});

test('in a bucket that is another one, and counts anew, everybody has the whole time', () => {
  const watch = new LeaseWatch(16_000);
  for (let now = 100_000; now <= 120_000; now += 4_000) suspects(watch, lease('me', now), lease('other', now));

  const fresh = [
    { ...lease('me', 124_000), sequence: 1 },
    { ...lease('other', 124_001), sequence: 2 },
  ];
  expect(suspects(watch, ...fresh)).toEqual([]);
});

test('one that said that it left is cleared away after at once; one that was declared dead, after the same time', () => {
  expect(after(0, lease('other', 0, 'left'))).toEqual(['other']);
  expect(after(12_000, lease('other', 0, 'dead'))).toEqual([]);
  expect(after(16_000, lease('other', 0, 'dead'))).toEqual(['other']);
});

test('we are no suspect, and without our own lease nobody is', () => {
  const watch = new LeaseWatch(16_000);

  expect(suspects(watch, lease('other', -500_000, 'left'))).toEqual([]);
  expect(suspects(watch, lease('me', 0, 'left'))).toEqual([]);
  expect(watch.aliveCount).toBe(0);
});

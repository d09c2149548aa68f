import { describe, expect, test } from 'vitest';
import { TokenBucket, Users, type UserLimits } from './limits.ts';

const LIMITS: UserLimits = {
  connections: 2,
  subscriptions: 3,
  queuedBytes: 1_000,
  coldReads: 1,
  subscribesPerSecond: 1,
  subscribeBurst: 2,
};

describe('a token bucket', () => {
  test('allows the burst at once, then its rate', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, 0);

    expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
    expect(bucket.waitMs(0)).toBe(500);
    expect([499, 500, 501, 1_000].map((nowMs) => bucket.take(nowMs))).toEqual([false, true, false, true]);
  });

  test('never holds more than its burst', () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 2 }, 0);

    expect([60_000, 60_000, 60_000].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, false]);
  });

  test('takes nothing when it cannot take all', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 3 }, 0);

    expect(bucket.take(0, 4)).toBe(false);
    expect(bucket.waitMs(0, 4)).toBe(Number.POSITIVE_INFINITY);
    expect(bucket.take(0, 3)).toBe(true);
    expect(bucket.waitMs(0, 3)).toBe(3_000);
  });

  test('survives a clock that steps back: nothing is lost and nothing granted twice', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 100_000);
    expect(bucket.take(100_000)).toBe(true);

    expect(bucket.take(0)).toBe(false);
    expect(bucket.take(999)).toBe(false);
    expect(bucket.take(1_000)).toBe(true);
    expect(bucket.take(1_500)).toBe(false);
  });

  test('what it said to wait for is there after the wait', () => {
    const bucket = new TokenBucket({ perSecond: 7, burst: 5 }, 0);
    bucket.take(0, 5);

    for (let nowMs = 0, i = 0; i < 50; i++) {
      nowMs += bucket.waitMs(nowMs);
      expect(bucket.take(nowMs)).toBe(true);
    }
  });
});

describe('users', () => {
  test('are counted over all their connections, apart from each other', () => {
    const users = new Users(LIMITS);

    const entered = ['u-1', 'u-1', 'u-1', 'u-2'].map((subject) => users.enter(subject, 0) !== undefined);

    expect(entered).toEqual([true, true, false, true]);
  });

  test('share one object between connections, until the last one leaves', () => {
    const users = new Users(LIMITS);
    const first = users.enter('u-1', 0)!;
    const second = users.enter('u-1', 0)!;

    users.leave(first, 0);

    expect(second).toBe(first);
    expect(users.size).toBe(1);
    users.leave(second, 0);
    expect(users.size).toBe(0);
  });

  test('who leave and come back have used up what they had used up', () => {
    const users = new Users(LIMITS);
    const user = users.enter('u-1', 0)!;
    expect(user.subscribes.take(0, 2)).toBe(true);
    users.leave(user, 0);

    const again = users.enter('u-1', 1)!;
    expect(again.subscribes.take(1)).toBe(false);
    users.leave(again, 1_000);
    expect(users.enter('u-1', 60_999)).toBe(again);
    users.leave(again, 61_000);
    expect(users.enter('u-1', 121_000)).not.toBe(again);
  });

  test('who have left are remembered in bounded numbers', () => {
    const users = new Users(LIMITS);
    const first = users.enter('u-first', 0)!;
    users.leave(first, 0);
    for (let i = 0; i < 10_000; i++) users.leave(users.enter(`u-${i}`, 0)!, 0);

    expect(users.enter('u-first', 0)).not.toBe(first);
  });

  test('have one rate of subscribes for all their connections', () => {
    const users = new Users(LIMITS);
    const user = users.enter('u-1', 0)!;

    expect([0, 0, 0].map((nowMs) => user.subscribes.take(nowMs))).toEqual([true, true, false]);
    expect(users.enter('u-1', 0)!.subscribes.take(0)).toBe(false);
  });

  test('are told of when the first connection comes and when the last one goes', () => {
    const seen: string[] = [];
    const users = new Users(LIMITS, {
      came: (user) => seen.push(`${user} came`),
      left: (user) => seen.push(`${user} left`),
    });
    const user = users.enter('u-1', 0)!;
    users.enter('u-1', 0);
    users.enter('u-1', 0);
    users.leave(user, 0);
    expect(seen).toEqual(['u-1 came']);

    users.leave(user, 0);
    users.enter('u-1', 1);
    expect(seen).toEqual(['u-1 came', 'u-1 left', 'u-1 came']);
  });

  test.each(['__proto__', 'constructor', 'toString'])('may be called %s', (name) => {
    const users = new Users(LIMITS);

    users.leave(users.enter(name, 0)!, 0);

    expect(users.size).toBe(0);
  });
});

import { describe, expect, test } from 'vitest';
import { TokenBucket, UserQuotas, type UserLimits } from './limits.ts';

const LIMITS: UserLimits = { connections: 2, subscriptions: 3, queuedBytes: 1_000, coldReads: 1 };

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

describe('quotas of users', () => {
  test('are counted over all connections of one user, apart from those of others', () => {
    const quotas = new UserQuotas(LIMITS);

    const taken = ['u-1', 'u-1', 'u-1', 'u-2'].map((user) => quotas.acquire(user, 'connections') !== undefined);

    expect(taken).toEqual([true, true, false, true]);
  });

  test('are counted apart from each other', () => {
    const quotas = new UserQuotas(LIMITS);
    quotas.acquire('u-1', 'coldReads');

    expect(quotas.acquire('u-1', 'coldReads')).toBeUndefined();
    expect(quotas.acquire('u-1', 'subscriptions')).toBeDefined();
  });

  test('take all or nothing', () => {
    const quotas = new UserQuotas(LIMITS);
    quotas.acquire('u-1', 'queuedBytes', 600);

    expect(quotas.acquire('u-1', 'queuedBytes', 401)).toBeUndefined();
    expect(quotas.used('u-1', 'queuedBytes')).toBe(600);
    expect(quotas.acquire('u-1', 'queuedBytes', 400)).toBeDefined();
  });

  test('a lease gives back what it took, once', () => {
    const quotas = new UserQuotas(LIMITS);
    const [first, second] = [quotas.acquire('u-1', 'queuedBytes', 400), quotas.acquire('u-1', 'queuedBytes', 500)];

    first?.release();
    first?.release();
    expect(quotas.used('u-1', 'queuedBytes')).toBe(500);

    second?.release();
    expect(quotas.used('u-1', 'queuedBytes')).toBe(0);
  });

  test('users who hold nothing are forgotten, also those who were refused', () => {
    const quotas = new UserQuotas(LIMITS);

    for (let i = 0; i < 1_000; i++) {
      const leases = [
        quotas.acquire(`u-${i}`, 'connections'),
        quotas.acquire(`u-${i}`, 'subscriptions', 3),
        quotas.acquire(`u-${i}`, 'subscriptions'),
        quotas.acquire(`stranger-${i}`, 'coldReads', 2),
      ];
      for (const lease of leases) lease?.release();
    }

    expect(quotas.size).toBe(0);
  });

  test.each(['__proto__', 'constructor', 'toString'])('a user may be called %s', (name) => {
    const quotas = new UserQuotas(LIMITS);

    quotas.acquire(name, 'connections')?.release();

    expect(quotas.used(name, 'connections')).toBe(0);
    expect(quotas.size).toBe(0);
  });
});

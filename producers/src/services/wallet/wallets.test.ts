import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bench, START_MS, user } from '../service.fixture.ts';
import { balanceOf, COIN_TYPES, credit, debit, type Lot } from './purse.ts';
import { walletService } from './service.ts';
import type { Wallets } from './wallets.ts';

const DAY_MS = 86_400_000;
const timestamp = new Date(START_MS).toISOString();
const day = (days: number): string => new Date(START_MS + days * DAY_MS).toISOString();

const walletWith = (...lots: Lot[]): Bench<Wallets> => {
  const bench = new Bench(walletService);
  const sum = (coinType: (typeof COIN_TYPES)[number]): number => balanceOf(lots, coinType);
  const [rezCoins, brandedCoins, promoCoins] = [sum('rezCoins'), sum('brandedCoins'), sum('promoCoins')];
  const balances = { rezCoins, brandedCoins, promoCoins, total: rezCoins + brandedCoins + promoCoins };
  const change = { amount: balances.total, type: 'rezCoins', operation: 'credit' as const, reason: 'welcome' };
  const payload = { balances, change, timestamp, ...{ lots } };
  bench.happen({ type: 'wallet.balance_updated', keys: { userId: 'u-1' }, payload });
  return bench;
};

test('coins are redeemed, those that expire first before the others, and never more than there are', () => {
  const bench = walletWith(
    { coinType: 'rezCoins', amount: 10 },
    { coinType: 'rezCoins', amount: 5, expiresAt: day(20) },
    { coinType: 'promoCoins', amount: 90 },
  );
  expect(bench.send(user('u-1'), 'wallet.redeem', { amount: 7 })).toMatchObject({
    result: { balances: { rezCoins: 8, promoCoins: 90, total: 98 } },
    events: [
      { payload: { change: { operation: 'debit', amount: 7 }, lots: [{ coinType: 'rezCoins', amount: 8 }, {}] } },
    ],
  });
  expect(bench.send(user('u-1'), 'wallet.redeem', { amount: 9 })).toMatchObject({
    ...{ code: 'insufficient_balance', state: { coinType: 'rezCoins', available: 8 } },
  });
});

test('a delivered order is worth coins that last a month', () => {
  const bench = walletWith();
  const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };
  const customer = { name: 'Uma', phone: '' };
  const created = {
    ...keys,
    orderNumber: 'R-1',
    customer,
    items: 1,
    total: 45,
    type: 'delivery',
    createdAt: timestamp,
  };
  bench.happen({ type: 'order.created', keys, payload: created });
  bench.happen({ type: 'order.status_changed', keys, payload: { orderId: 'o-1', status: 'delivered', timestamp } });
  expect(bench.of('wallet.balance_updated').at(-1)?.payload).toMatchObject({
    balances: { rezCoins: 2, total: 2 },
    change: { amount: 2, operation: 'credit', orderId: 'o-1' },
    lots: [{ coinType: 'rezCoins', amount: 2 }],
  });
});

test('who is about to lose coins is told once a day and coin type, seven days ahead; then they are gone', () => {
  const bench = walletWith(
    { coinType: 'rezCoins', amount: 5, expiresAt: day(8) },
    { coinType: 'promoCoins', amount: 3, expiresAt: day(7) },
  );
  const told: string[] = [];
  for (let hour = 0; hour <= 9 * 24; hour++) {
    bench.nowMs = START_MS + (hour * DAY_MS) / 24;
    for (const { type, payload } of bench.tick()) {
      if (type === 'wallet.coins_expiring') told.push(`${payload.coinType} ${payload.daysRemaining}`);
    }
  }
  expect(told.filter((notice) => notice.startsWith('promoCoins'))).toHaveLength(8);
  expect(new Set(told.filter((notice) => notice.startsWith('rezCoins')))).toEqual(
    new Set(['rezCoins 7', 'rezCoins 6', 'rezCoins 5', 'rezCoins 4', 'rezCoins 3', 'rezCoins 2', 'rezCoins 1']),
  );
  expect(bench.of('wallet.balance_updated').at(-1)?.payload.balances.total).toBe(0);
});

test('purses never hold less than nothing, nor more than was put in', () => {
  const lot = fc.record({
    coinType: fc.constantFrom(...COIN_TYPES),
    amount: fc.integer({ min: 1, max: 50 }),
    expiresAt: fc.constantFrom(day(1), day(2)),
  });
  const step = fc.oneof(
    lot,
    fc.record({ coinType: fc.constantFrom(...COIN_TYPES), amount: fc.integer({ min: 1, max: 80 }) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let lots: readonly Lot[] = [];
      for (const each of steps) {
        const before = balanceOf(lots, each.coinType);
        if ('expiresAt' in each) {
          lots = credit(lots, each);
          expect(balanceOf(lots, each.coinType)).toBe(before + each.amount);
        } else {
          const left = debit(lots, each.coinType, each.amount);
          expect(left === undefined).toBe(before < each.amount);
          lots = left ?? lots;
          if (left) expect(balanceOf(lots, each.coinType)).toBe(before - each.amount);
        }
        expect(lots.every(({ amount }) => amount > 0)).toBe(true);
      }
    }),
  );
});

import { expect, test } from 'vitest';
import { Bench } from '../service.fixture.ts';
import { dashboardService } from './service.ts';

const DAY_MS = 86_400_000;

const bench = () => new Bench(dashboardService);

const place = (board: ReturnType<typeof bench>, number: number, more: Readonly<Record<string, unknown>> = {}): void => {
  const keys = { merchantId: `m-${number % 2}`, userId: `u-${number}`, orderId: `o-${number}` };
  const payload = {
    ...{ ...keys, orderNumber: `RZ-${number}`, customer: { name: 'Asha', phone: '' }, items: 1, total: 10.1 },
    ...{ type: 'delivery', createdAt: new Date(board.nowMs).toISOString(), ...more },
  };
  board.happen({ type: 'order.created', keys, payload });
};

const figures = (board: ReturnType<typeof bench>): unknown => board.of('dashboard.stats').at(-1)?.payload;

test('every order is news, with the shop´s name where the order has it', () => {
  const board = bench();
  place(board, 1);
  place(board, 2, { merchantName: 'Corner Bakery' });
  expect(board.of('dashboard.new_order').map(({ payload }) => payload)).toMatchObject([
    { orderId: 'o-1', amount: 10.1, merchant: { id: 'm-1', name: 'm-1' } },
    { orderId: 'o-2', amount: 10.1, merchant: { id: 'm-0', name: 'Corner Bakery' } },
  ]);
});

test('figures come once per half minute', () => {
  const board = bench();
  const told: number[] = [];
  for (let second = 0; second < 90; second++, board.nowMs += 1_000) told.push(board.tick().length);
  expect(told.filter((count) => count === 1)).toHaveLength(3);
  expect([told[0], told[30], told[60]]).toEqual([1, 1, 1]);
});

test('orders and revenue are of today; active are the connected and those who ordered lately', () => {
  const board = bench();
  place(board, 1);
  place(board, 2);
  for (const userId of ['u-2', 'u-9']) {
    const payload = { userId, timestamp: new Date(board.nowMs).toISOString() };
    board.happen({ type: 'user.online', keys: { userId }, payload });
  }
  board.tick();
  expect(figures(board)).toMatchObject({ todayOrders: 2, todayRevenue: 20.2, activeUsers: 3, activeMerchants: 2 });
  board.nowMs += 16 * 60_000;
  board.tick();
  expect(figures(board)).toMatchObject({ todayOrders: 2, activeUsers: 2, activeMerchants: 0 });
  board.nowMs += DAY_MS;
  board.tick();
  expect(figures(board)).toMatchObject({ todayOrders: 0, todayRevenue: 0 });
});

import { describe, expect, test } from 'vitest';
import { Bench, START_MS } from '../service.fixture.ts';
import { leaderboardService } from './service.ts';
import { PERIODS, windowStart } from './periods.ts';

const DAY_MS = 86_400_000;

const bench = () => new Bench(leaderboardService);

const earn = (board: ReturnType<typeof bench>, userId: string, amount: number, reason = 'Order delivered') =>
  board.happen({
    ...{ type: 'wallet.balance_updated', keys: { userId } },
    payload: {
      balances: { rezCoins: 0, brandedCoins: 0, promoCoins: 0, total: 0 },
      change: { amount, type: 'rezCoins', operation: 'credit', reason },
      timestamp: new Date(board.nowMs).toISOString(),
    },
  });

const ranksOf = (board: ReturnType<typeof bench>, period: string) =>
  board
    .of('leaderboard.rank_change')
    .filter(({ payload }) => payload.period === period)
    .map(({ payload }) => `${payload.userId} ${payload.oldRank}->${payload.newRank}`);

const boardOf = (board: ReturnType<typeof bench>, period: string) =>
  board
    .of('leaderboard.update')
    .filter(({ payload }) => payload.period === period)
    .at(-1)
    ?.payload.entries.map(({ rank, userId, coins }) => `${rank} ${userId} ${coins}`);

describe('ranks', () => {
  test('coins make ranks in every period, and who is overtaken is told too', () => {
    const board = bench();
    earn(board, 'u-1', 50);
    earn(board, 'u-2', 30);
    board.tick();
    board.nowMs += 1_000;
    earn(board, 'u-2', 40);
    board.tick();
    for (const period of PERIODS) {
      expect(boardOf(board, period)).toEqual(['1 u-2 70', '2 u-1 50']);
      expect(ranksOf(board, period)).toEqual(['u-1 3->1', 'u-2 3->2', 'u-2 2->1', 'u-1 1->2']);
    }
  });

  test('debits and refunds earn nothing', () => {
    const board = bench();
    earn(board, 'u-1', 50, 'Refund of an order');
    expect(board.tick()).toEqual([]);
  });

  test('an update comes at most once a second, and says everything since the last one', () => {
    const board = bench();
    earn(board, 'u-1', 5);
    board.tick();
    const updates = () => board.of('leaderboard.update').filter(({ payload }) => payload.period === 'daily').length;
    for (let i = 0; i < 9; i++) {
      board.nowMs += 100;
      earn(board, 'u-1', 5);
      board.tick();
    }
    expect(updates()).toBe(1);
    board.nowMs += 100;
    board.tick();
    expect(updates()).toBe(2);
    expect(boardOf(board, 'daily')).toEqual(['1 u-1 50']);
  });

  test('nothing is told twice while nothing changes', () => {
    const board = bench();
    earn(board, 'u-1', 5);
    for (let i = 0; i < 5; i++, board.nowMs += 1_000) board.tick();
    const before = board.events.length;
    for (let i = 0; i < 5; i++, board.nowMs += 1_000) expect(board.tick()).toEqual([]);
    expect(board.events.length).toBe(before);
  });

  test('a copy that has read only half of what another one told goes on with the other half', () => {
    const first = bench();
    for (const sub of ['u-1', 'u-2', 'u-3']) earn(first, sub, 10);
    const told = first.tick();
    const second = bench();
    for (const event of first.events.slice(0, 3)) second.happen(event);
    for (const event of told.slice(0, 7)) second.happen(event);
    const what = ({ type, keys }: { type: string; keys: object }) => ({ type, ...keys });
    expect(second.tick().map(what)).toEqual(told.slice(7).map(what));
  });

  test('a new day begins with an empty daily board; the week goes on', () => {
    const board = bench();
    earn(board, 'u-1', 5);
    board.tick();
    board.nowMs += DAY_MS;
    board.tick();
    expect(boardOf(board, 'daily')).toEqual([]);
    expect(boardOf(board, 'weekly')).toEqual(['1 u-1 5']);
    earn(board, 'u-2', 1);
    board.nowMs += 1_000;
    board.tick();
    expect(boardOf(board, 'daily')).toEqual(['1 u-2 1']);
    expect(ranksOf(board, 'daily')).toEqual(['u-1 2->1', 'u-2 2->1']);
  });
});

test('an achievement is told once, with the coins that it takes', () => {
  const board = bench();
  earn(board, 'u-1', 99);
  board.tick();
  board.nowMs += 2_000;
  earn(board, 'u-1', 1);
  board.tick();
  board.nowMs += 2_000;
  board.tick();
  const told = board.of('leaderboard.achievement').map(({ payload }) => payload.achievementId);
  expect(told).toEqual(['first-coins', 'coins-100']);
});

test('the rank call answers by the board asked for, 0 for nobody', () => {
  const board = bench();
  earn(board, 'u-1', 5);
  const ask = leaderboardService.calls!['leaderboard.rank']!;
  expect(ask(board.state, { sub: 'u-1', role: 'customer' }, {})).toEqual({ ok: true, data: { rank: 1, coins: 5 } });
  expect(ask(board.state, { sub: 'u-2', role: 'customer' }, { period: 'daily' })).toMatchObject({ data: { rank: 0 } });
});

test('windows begin at midnight, on Monday, on the first', () => {
  const starts = PERIODS.map((period) => windowStart(period, START_MS));
  const [day, monday, first] = ['2026-01-14', '2026-01-12', '2026-01-01'].map((date) => Date.parse(date));
  expect(starts).toEqual([day, monday, first, 0]);
});

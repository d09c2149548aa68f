// Services under contention, two copies at once: what may happen once happens once, and nothing goes below zero.
import { expect, describe } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { readEvents, readOutcomes, sendCommand, serviceTest as test, storeEvent } from '../kit/services.ts';

const HOUR_MS = 3_600_000;
const BUYERS = 200;
const STOCK = 100;

describe.each([
  { how: 'one of them at a time', isOneAtATime: true },
  { how: 'both of them at once', isOneAtATime: false },
])('two copies, $how', ({ isOneAtATime }) => {
  test('200 buyers of 100 items buy exactly 100', async ({ connection, run }) => {
    const timestamp = new Date().toISOString();
    await storeEvent(connection, 'product.price_updated', ['m-1', 'p-1'], {
      productId: 'p-1',
      storeId: 'm-1',
      price: 10,
      previous: 10,
      timestamp,
    });
    await storeEvent(connection, 'promotion.flash_sale_started', ['s-1', 'sale'], {
      id: 's-1',
      title: 'Lunch',
      description: '',
      discount: 20,
      category: 'food',
      endsAt: new Date(Date.now() + HOUR_MS).toISOString(),
      imageUrl: 'https://example.com/s-1.png',
    });
    await storeEvent(connection, 'promotion.stock_update', ['s-1', 'p-1'], {
      saleId: 's-1',
      productId: 'p-1',
      stockRemaining: STOCK,
      totalStock: STOCK,
      percentageRemaining: 100,
    });
    const copies = await Promise.all([run('promotions', isOneAtATime), run('promotions', isOneAtATime)]);
    const buyers = Array.from({ length: BUYERS }, (_, index) => `u-${index}`);
    await Promise.all(
      buyers.map((sub) => sendCommand(connection, 'promotion.buy', { sub }, { saleId: 's-1', productId: 'p-1' })),
    );
    const outcomes = await eventually(
      async () => {
        const found = await readOutcomes(connection);
        return found.length >= BUYERS && found;
      },
      { timeoutMs: 25_000, what: 'an outcome per buyer' },
    );
    const bought = outcomes.filter(({ kind }) => kind === 'applied');
    const refused = outcomes.filter(({ kind }) => kind === 'rejected');
    expect(new Set(outcomes.map(({ userId }) => userId)).size).toBe(BUYERS);
    expect({ bought: bought.length, refused: refused.length }).toEqual({ bought: STOCK, refused: BUYERS - STOCK });
    expect(new Set(refused.map(({ payload }) => payload['code']))).toEqual(new Set(['out_of_stock']));
    const stock = (await readEvents(connection, 'SHOP', 'promotion.s-1.p-1.stock_update')).map(
      ({ payload }) => payload['stockRemaining'],
    );
    expect(stock).toEqual(Array.from({ length: STOCK + 1 }, (_, sold) => STOCK - sold));
    const orders = await readEvents(connection, 'ORDER', 'order.m-1.*.*.created');
    expect(new Set(orders.map(({ payload }) => payload['userId'])).size).toBe(STOCK);
    expect(orders.map(({ payload }) => payload['total'])).toEqual(Array.from({ length: STOCK }, () => 8));
    // Both copies have worked where both may.
    const decisions = copies.map(({ stats }) => stats.decisions);
    expect(decisions.reduce((sum, count) => sum + count)).toBe(STOCK);
    expect(decisions.filter((count) => count > 0)).toHaveLength(isOneAtATime ? 1 : 2);
  });
});

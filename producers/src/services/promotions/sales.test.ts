import { expect, test } from 'vitest';
import { Bench, START_MS, user } from '../service.fixture.ts';
import type { Sales } from './sales.ts';
import { promotionsService } from './service.ts';

const buy = { saleId: 's-1', productId: 'p-1' };

const startSale = (stockRemaining: number, isPriced: boolean = false): Bench<Sales> => {
  const bench = new Bench(promotionsService);
  const timestamp = new Date(START_MS).toISOString();
  const stock = { ...buy, stockRemaining, totalStock: 10, percentageRemaining: 100 };
  bench.happen({ type: 'promotion.stock_update', keys: buy, payload: stock });
  bench.happen({
    type: 'promotion.flash_sale_started',
    keys: { saleId: 's-1', productId: 'sale' },
    payload: {
      ...{ id: 's-1', title: 'Lunch', description: '', discount: '25 %', category: 'food' },
      ...{ endsAt: new Date(START_MS + 60_000).toISOString(), imageUrl: 'https://example.com/1.png' },
    },
  });
  if (isPriced) {
    const payload = { productId: 'p-1', storeId: 'm-1', price: 8, previous: 8, timestamp };
    bench.happen({ type: 'product.price_updated', keys: { storeId: 'm-1', productId: 'p-1' }, payload });
  }
  return bench;
};

test('the stock counts down to zero and not below', () => {
  const bench = startSale(2);
  const verdicts = [1, 2, 3].map(() => bench.send(user('u-1'), 'promotion.buy', buy));
  expect(verdicts).toMatchObject([
    { events: [{ payload: { stockRemaining: 1, totalStock: 10, percentageRemaining: 10 } }] },
    { events: [{ payload: { stockRemaining: 0, percentageRemaining: 0 } }] },
    { kind: 'rejected', code: 'out_of_stock', state: { stockRemaining: 0 } },
  ]);
});

test('more than there is are not sold in part', () => {
  const bench = startSale(2);
  expect(bench.send(user('u-1'), 'promotion.buy', { ...buy, quantity: 3 })).toMatchObject({ code: 'out_of_stock' });
  expect(bench.send(user('u-1'), 'promotion.buy', { ...buy, quantity: 2 })).toMatchObject({ kind: 'applied' });
});

test('what is bought of a known product is an order at the price of the sale', () => {
  const bench = startSale(5, true);
  const verdict = bench.send(user('u-1'), 'promotion.buy', { ...buy, quantity: 2 });
  const [order] = bench.of('order.created');
  expect(verdict).toMatchObject({ result: { orderId: order?.keys.orderId } });
  expect(order?.payload).toMatchObject({ merchantId: 'm-1', userId: 'u-1', items: 2, total: 12, type: 'flash_sale' });
});

test('nothing is sold after the end, nor of what is not on offer', () => {
  const bench = startSale(5);
  expect(bench.send(user('u-1'), 'promotion.buy', { ...buy, productId: 'p-2' })).toMatchObject({
    code: 'unknown_sale',
  });
  bench.nowMs = START_MS + 60_000;
  expect(bench.send(user('u-1'), 'promotion.buy', buy)).toMatchObject({ code: 'sale_ended' });
});

import { expect, test } from 'vitest';
import { Bench, START_MS, user } from '../service.fixture.ts';
import type { Carts } from './carts.ts';
import { cartService } from './service.ts';

const MINUTE_MS = 60_000;
const timestamp = new Date(START_MS).toISOString();
const uma = user('u-1');

const price = (bench: Bench<Carts>, productId: string, value: number): void =>
  bench.happen({
    type: 'product.price_updated',
    keys: { storeId: 'm-1', productId },
    payload: { productId, storeId: 'm-1', price: value, previous: value, timestamp },
  });

const stock = (bench: Bench<Carts>, productId: string, value: number): void =>
  bench.happen({
    type: 'product.stock_updated',
    keys: { storeId: 'm-1', productId },
    payload: { productId, storeId: 'm-1', stock: value, previous: value, timestamp },
  });

const shop = (): Bench<Carts> => {
  const bench = new Bench(cartService);
  price(bench, 'p-1', 3);
  price(bench, 'p-2', 4.1);
  return bench;
};

const newest = (bench: Bench<Carts>) => bench.of('cart.sync').at(-1)?.payload;

test('adding is commutative: the same product twice is one line of both', () => {
  const bench = shop();
  bench.send(uma, 'cart.add_item', { productId: 'p-1', quantity: 2 });
  const verdict = bench.send(uma, 'cart.add_item', { productId: 'p-1' });
  bench.send(uma, 'cart.add_item', { productId: 'p-2', cartId: 'cart-u-1' });
  expect(verdict).toMatchObject({ result: { cartId: 'cart-u-1', itemId: 'i-p-1', quantity: 3 } });
  expect(newest(bench)).toMatchObject({
    items: [
      { id: 'i-p-1', quantity: 3, price: 3 },
      { id: 'i-p-2', quantity: 1, price: 4.1 },
    ],
    ...{ totalItems: 4, totalPrice: 13.1 },
  });
});

test('updating and removing are last wins; what is gone is gone', () => {
  const bench = shop();
  bench.send(uma, 'cart.add_item', { productId: 'p-1' });
  bench.send(uma, 'cart.update_item', { itemId: 'i-p-1', quantity: 9 });
  expect(newest(bench)).toMatchObject({ totalItems: 9 });
  bench.send(uma, 'cart.remove_item', { itemId: 'i-p-1' });
  expect(bench.send(uma, 'cart.remove_item', { itemId: 'i-p-1' })).toMatchObject({ kind: 'applied', events: [] });
  expect(bench.send(uma, 'cart.update_item', { itemId: 'i-p-1', quantity: 1 })).toMatchObject({
    ...{ code: 'unknown_item', state: { cartId: 'cart-u-1', items: [] } },
  });
  expect(bench.of('cart.item_released')).toMatchObject([{ payload: { itemId: 'i-p-1', reason: 'removed' } }]);
});

test('clearing releases everything', () => {
  const bench = shop();
  bench.send(uma, 'cart.add_item', { productId: 'p-1' });
  bench.send(uma, 'cart.add_item', { productId: 'p-2' });
  bench.send(uma, 'cart.clear', {});
  expect(newest(bench)).toMatchObject({ items: [], totalItems: 0, totalPrice: 0 });
  expect(bench.of('cart.item_released')).toHaveLength(2);
});

test('nobody reaches the cart of somebody else, nor what is not sold', () => {
  const bench = shop();
  expect(bench.send(uma, 'cart.add_item', { productId: 'p-1', cartId: 'cart-u-2' })).toMatchObject({
    code: 'unknown_cart',
  });
  expect(bench.send(uma, 'cart.add_item', { productId: 'p-3' })).toMatchObject({ code: 'unknown_product' });
});

test('a reservation keeps the item from others until it is over, and is then told to be', () => {
  const bench = shop();
  stock(bench, 'p-1', 3);
  bench.send(uma, 'cart.add_item', { productId: 'p-1', quantity: 2 });
  const late = user('u-2');
  expect(bench.send(late, 'cart.add_item', { productId: 'p-1', quantity: 2 })).toMatchObject({
    ...{ code: 'out_of_stock', state: { available: 1 } },
  });
  expect(bench.tick()).toEqual([]);
  bench.nowMs = START_MS + 15 * MINUTE_MS;
  expect(bench.tick().map(({ type }) => type)).toEqual(['cart.sync', 'cart.item_released']);
  expect(bench.of('cart.item_released')).toMatchObject([{ payload: { itemId: 'i-p-1', reason: 'timeout' } }]);
  expect(bench.tick()).toEqual([]);
  expect(newest(bench)).toMatchObject({ items: [{ id: 'i-p-1', quantity: 2 }] });
  expect(bench.send(late, 'cart.add_item', { productId: 'p-1', quantity: 2 })).toMatchObject({ kind: 'applied' });
});

test('a new price and a short stock reach each cart that holds the product, and no other', () => {
  const bench = shop();
  bench.send(uma, 'cart.add_item', { productId: 'p-1', quantity: 5 });
  bench.send(user('u-2'), 'cart.add_item', { productId: 'p-2' });
  price(bench, 'p-1', 2);
  expect(newest(bench)).toMatchObject({ userId: 'u-1', totalPrice: 10 });
  price(bench, 'p-1', 2);
  expect(bench.of('cart.sync')).toHaveLength(3);
  stock(bench, 'p-1', 4);
  expect(newest(bench)).toMatchObject({ warnings: [{ itemId: 'i-p-1', productId: 'p-1', available: 4 }] });
  stock(bench, 'p-1', 4);
  expect(bench.of('cart.sync')).toHaveLength(4);
  stock(bench, 'p-1', 5);
  expect(newest(bench)).not.toHaveProperty('warnings');
});

test('what was ordered leaves the cart', () => {
  const bench = shop();
  bench.send(uma, 'cart.add_item', { productId: 'p-1', quantity: 5 });
  bench.send(uma, 'cart.add_item', { productId: 'p-2', quantity: 1 });
  const lines = [
    { productId: 'p-1', quantity: 2, price: 3 },
    { productId: 'p-2', quantity: 1, price: 4.1 },
  ];
  const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };
  const customer = { name: 'Uma', phone: '' };
  const order = {
    ...keys,
    orderNumber: 'R-1',
    customer,
    items: 3,
    total: 10.1,
    type: 'delivery',
    createdAt: timestamp,
  };
  bench.happen({ type: 'order.created', keys, payload: { ...order, ...{ lines } } });
  expect(newest(bench)).toMatchObject({ items: [{ id: 'i-p-1', quantity: 3 }] });
  expect(bench.of('cart.item_released')).toMatchObject([{ payload: { itemId: 'i-p-2', reason: 'purchased' } }]);
});

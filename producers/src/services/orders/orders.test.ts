import { ORDER_STATUSES } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { Bench, user } from '../service.fixture.ts';
import type { OrderBook } from './order-book.ts';
import { ordersService } from './service.ts';

const timestamp = '2026-01-14T12:00:00.000Z';
const owner = user('o-1', { role: 'merchant_owner', merchantId: ['m-0', 'm-1'] });
const courier = user('d-1', { role: 'delivery_partner', name: 'Dev' });

const openStore = (stock?: number): Bench<OrderBook> => {
  const bench = new Bench(ordersService);
  const keys = { storeId: 'm-1', productId: 'p-1' };
  const price = { productId: 'p-1', storeId: 'm-1', price: 2.5, previous: 2, timestamp };
  bench.happen({ type: 'product.price_updated', keys, payload: price });
  if (stock !== undefined) {
    const payload = { productId: 'p-1', storeId: 'm-1', stock, previous: 0, timestamp };
    bench.happen({ type: 'product.stock_updated', keys, payload });
  }
  return bench;
};

const place = (bench: Bench<OrderBook>, quantity: number = 2): string => {
  const items = [{ productId: 'p-1', quantity }];
  const verdict = bench.send(user('u-1'), 'order.place', { merchantId: 'm-1', items });
  expect(verdict.kind).toBe('applied');
  return bench.of('order.created').at(-1)!.keys.orderId;
};

const lead = (bench: Bench<OrderBook>, orderId: string, ...statuses: string[]): void => {
  for (const status of statuses) {
    expect(bench.send(owner, 'order.update_status', { orderId, status })).toMatchObject({ kind: 'applied' });
  }
};

test('an order has the prices of the store, the name of the token and what it took from the shelf', () => {
  const bench = openStore(10);
  const items = [
    { productId: 'p-1', quantity: 1 },
    { productId: 'p-1', quantity: 2 },
  ];
  const verdict = bench.send(user('u-1'), 'order.place', { merchantId: 'm-1', items });
  expect(verdict).toMatchObject({
    events: [
      { type: 'product.stock_updated', payload: { stock: 7, previous: 10 } },
      { type: 'order.created', payload: { userId: 'u-1', customer: { name: 'Name of u-1' }, items: 3, total: 7.5 } },
    ],
  });
});

test.each([
  ['unknown_product', { merchantId: 'm-1', items: [{ productId: 'p-2', quantity: 1 }] }],
  ['unknown_product', { merchantId: 'm-2', items: [{ productId: 'p-1', quantity: 1 }] }],
  ['out_of_stock', { merchantId: 'm-1', items: [{ productId: 'p-1', quantity: 4 }] }],
])('%s is a rejection', (code, data) => {
  expect(openStore(3).send(user('u-1'), 'order.place', data)).toMatchObject({ kind: 'rejected', code });
});

test('a closed store takes no orders', () => {
  const bench = openStore(3);
  const close = (open: boolean): void =>
    bench.happen({
      type: 'store.status_changed',
      keys: { storeId: 'm-1' },
      payload: { storeId: 'm-1', open, timestamp },
    });
  close(false);
  const items = [{ productId: 'p-1', quantity: 1 }];
  expect(bench.send(user('u-1'), 'order.place', { merchantId: 'm-1', items })).toMatchObject({ code: 'store_closed' });
  close(true);
  place(bench);
});

const LEGAL = new Set([
  ...['placed>confirmed', 'confirmed>processing', 'confirmed>preparing', 'processing>preparing', 'processing>ready'],
  ...['preparing>ready', 'ready>out_for_delivery', 'ready>delivered', 'out_for_delivery>delivered'],
  ...['placed', 'confirmed', 'processing', 'preparing', 'ready'].map((status) => `${status}>cancelled`),
]);
const WAY: Readonly<Record<string, readonly string[]>> = {
  placed: [],
  confirmed: ['confirmed'],
  processing: ['confirmed', 'processing'],
  preparing: ['confirmed', 'preparing'],
  ready: ['confirmed', 'preparing', 'ready'],
  out_for_delivery: ['confirmed', 'preparing', 'ready', 'out_for_delivery'],
  delivered: ['confirmed', 'preparing', 'ready', 'delivered'],
  cancelled: ['cancelled'],
};

test.each(ORDER_STATUSES.flatMap((from) => [...ORDER_STATUSES, 'eaten'].map((to) => ({ from, to }))))(
  '$from to $to',
  ({ from, to }) => {
    const bench = openStore();
    const orderId = place(bench);
    lead(bench, orderId, ...WAY[from]!);
    const verdict = bench.send(owner, 'order.update_status', { orderId, status: to });
    if (LEGAL.has(`${from}>${to}`)) {
      expect(verdict).toMatchObject({ kind: 'applied', events: [{ payload: { status: to, previousStatus: from } }] });
    } else {
      expect(verdict).toMatchObject({ code: 'illegal_transition', state: { orderId, status: from } });
    }
  },
);

test('an order is its store’s, its admins’ and its courier’s to lead, and nobody else learns that it exists', () => {
  const bench = openStore();
  const orderId = place(bench);
  const stranger = user('o-2', { role: 'merchant_owner', merchantId: 'm-2' });
  for (const actor of [stranger, user('u-1'), courier]) {
    expect(bench.send(actor, 'order.update_status', { orderId, status: 'confirmed' })).toMatchObject({
      code: 'unknown_order',
    });
  }
  expect(
    bench.send(user('a-1', { role: 'operator' }), 'order.update_status', { orderId, status: 'confirmed' }),
  ).toMatchObject({
    kind: 'applied',
  });
});

test('the first courier who takes an order that is ready has it, and may bring it only', () => {
  const bench = openStore();
  const orderId = place(bench);
  lead(bench, orderId, 'confirmed', 'preparing', 'ready');
  const taken = bench.send(courier, 'order.update_status', { orderId, status: 'out_for_delivery' });
  expect(taken).toMatchObject({ events: [{ payload: { deliveryPartner: { id: 'd-1', name: 'Dev' } } }] });
  const other = user('d-2', { role: 'delivery_partner' });
  expect(bench.send(other, 'order.update_status', { orderId, status: 'delivered' })).toMatchObject({
    code: 'unknown_order',
  });
  expect(bench.send(courier, 'order.update_status', { orderId, status: 'cancelled' })).toMatchObject({
    code: 'forbidden',
  });
  expect(bench.send(courier, 'order.update_status', { orderId, status: 'delivered' })).toMatchObject({
    events: [{ payload: { status: 'delivered', deliveryPartner: { id: 'd-1' } } }],
  });
});

test('a customer cancels until somebody cooks; what was taken goes back to the shelf, once', () => {
  const bench = openStore(5);
  const orderId = place(bench, 2);
  expect(bench.send(user('u-2'), 'order.cancel', { orderId })).toMatchObject({ code: 'unknown_order' });
  expect(bench.send(user('u-1'), 'order.cancel', { orderId, reason: ' Too late ' })).toMatchObject({
    events: [{ payload: { status: 'cancelled', message: 'Too late' } }],
  });
  expect(bench.send(user('u-1'), 'order.cancel', { orderId })).toMatchObject({ kind: 'applied', events: [] });
  expect(bench.of('product.stock_updated').map(({ payload }) => payload.stock)).toEqual([5, 3, 5]);

  const cooked = place(bench);
  lead(bench, cooked, 'confirmed', 'preparing');
  expect(bench.send(user('u-1'), 'order.cancel', { orderId: cooked })).toMatchObject({
    ...{ code: 'too_late', state: { orderId: cooked, status: 'preparing' } },
  });
});

test('an order that cannot be paid is cancelled', () => {
  const bench = openStore(5);
  const orderId = place(bench);
  const payload = { paymentId: 'pay-1', orderId, amount: 5, currency: 'EUR' };
  bench.happen({ type: 'payment.failed', keys: { merchantId: 'm-1', userId: 'u-1', orderId }, payload });
  expect(bench.of('order.status_changed')).toMatchObject([{ payload: { status: 'cancelled' } }]);
  expect(bench.of('product.stock_updated').at(-1)).toMatchObject({ payload: { stock: 5 } });
});

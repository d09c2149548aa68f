// The shop's services over a real server: carts on two devices, wallets under concurrent debits, an order from its
// placing to the door.
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import {
  outcomeOf,
  readEvents,
  sendCommand,
  type SentCommand,
  serviceTest as test,
  storeEvent,
} from '../kit/services.ts';

const now = (): string => new Date().toISOString();

const sell = async (connection: NatsConnection, productId: string, price: number, stock?: number): Promise<void> => {
  const keys = ['m-1', productId];
  await storeEvent(connection, 'product.price_updated', keys, {
    ...{ productId, storeId: 'm-1', price, previous: price, timestamp: now() },
  });
  if (stock === undefined) return;
  await storeEvent(connection, 'product.stock_updated', keys, {
    ...{ productId, storeId: 'm-1', stock, previous: stock, timestamp: now() },
  });
};

const outcomes = (connection: NatsConnection, sent: readonly SentCommand[]) =>
  Promise.all(sent.map((command) => outcomeOf(connection, command)));

/** The newest value of the grant's key; empty: taken away. */
const grantOf = async (connection: NatsConnection, orderId: string, sub: string): Promise<string | undefined> => {
  const { streams } = await jetstreamManager(connection);
  const found = await streams.getMessage('KV_grants', { last_by_subj: `$KV.grants.order.${orderId}.${sub}` });
  return found ? new TextDecoder().decode(found.data) : undefined;
};

const newestCart = async (connection: NatsConnection, sub: string): Promise<Record<string, unknown> | undefined> =>
  (await readEvents(connection, 'SHOP', `cart.${sub}.cart-${sub}.sync`)).at(-1)?.payload;

describe.each([{ isOneAtATime: true }, { isOneAtATime: false }])('two copies, one at a time: $isOneAtATime', (how) => {
  test('two devices that edit one cart at once converge on what both did', async ({ connection, run }) => {
    for (const productId of ['p-1', 'p-2', 'p-3']) await sell(connection, productId, 3);
    await Promise.all([run('cart', how.isOneAtATime), run('cart', how.isOneAtATime)]);
    const add = (productId: string) => sendCommand(connection, 'cart.add_item', { sub: 'u-1' }, { productId });
    const phone = Array.from({ length: 20 }, (_, at) => add(at % 2 === 0 ? 'p-1' : 'p-2'));
    const tablet = Array.from({ length: 20 }, (_, at) => add(at % 2 === 0 ? 'p-1' : 'p-3'));
    const done = await outcomes(connection, await Promise.all([...phone, ...tablet]));
    expect(done.filter(({ kind }) => kind !== 'applied')).toEqual([]);
    const cart = await newestCart(connection, 'u-1');
    expect(cart).toMatchObject({ userId: 'u-1', cartId: 'cart-u-1', totalItems: 40, totalPrice: 120 });
    expect(
      ((cart?.['items'] ?? []) as { productId: string }[]).toSorted((a, b) => (a.productId < b.productId ? -1 : 1)),
    ).toMatchObject([
      { id: 'i-p-1', productId: 'p-1', quantity: 20, price: 3 },
      { id: 'i-p-2', productId: 'p-2', quantity: 10, price: 3 },
      { id: 'i-p-3', productId: 'p-3', quantity: 10, price: 3 },
    ]);
    // One sync per command, none twice.
    const causes = (await readEvents(connection, 'SHOP', 'cart.u-1.cart-u-1.sync')).map(
      ({ payload }) => payload['commandId'],
    );
    expect(new Set(causes).size).toBe(40);
    expect(causes).toHaveLength(40);
  });

  test('concurrent debits never take a wallet below zero', async ({ connection, run }) => {
    await storeEvent(connection, 'wallet.balance_updated', ['u-1'], {
      balances: { rezCoins: 100, brandedCoins: 0, promoCoins: 0, total: 100 },
      change: { amount: 100, type: 'rezCoins', operation: 'credit', reason: 'welcome' },
      timestamp: now(),
    });
    await Promise.all([run('wallet', how.isOneAtATime), run('wallet', how.isOneAtATime)]);
    const sent = await Promise.all(
      Array.from({ length: 50 }, () => sendCommand(connection, 'wallet.redeem', { sub: 'u-1' }, { amount: 7 })),
    );
    const done = await outcomes(connection, sent);
    expect(done.filter(({ kind }) => kind === 'applied')).toHaveLength(14);
    expect(done.find(({ kind }) => kind === 'rejected')?.payload).toMatchObject({
      code: 'insufficient_balance',
      state: { coinType: 'rezCoins', available: 2 },
    });
    const totals = (await readEvents(connection, 'USER', 'wallet.u-1.balance_updated')).map(
      ({ payload }) => (payload['balances'] as { total: number }).total,
    );
    expect(totals).toEqual(Array.from({ length: 15 }, (_, at) => 100 - 7 * at));
  });
});

test('a new price and a short stock reach the carts that hold the product, once', async ({ connection, run }) => {
  await sell(connection, 'p-1', 3, 10);
  await run('cart');
  await outcomeOf(
    connection,
    await sendCommand(connection, 'cart.add_item', { sub: 'u-1' }, { productId: 'p-1', quantity: 4 }),
  );
  await sell(connection, 'p-1', 5, 1);
  const cart = await eventually(async () => {
    const newest = await newestCart(connection, 'u-1');
    return newest?.['warnings'] !== undefined && newest['totalPrice'] === 20 && newest;
  });
  expect(cart).toMatchObject({ warnings: [{ itemId: 'i-p-1', productId: 'p-1', available: 1 }] });
  const refused = await outcomeOf(
    connection,
    await sendCommand(connection, 'cart.add_item', { sub: 'u-2' }, { productId: 'p-1', quantity: 2 }),
  );
  expect(refused).toMatchObject({ kind: 'rejected', payload: { code: 'out_of_stock' } });
});

test('an order from its placing to the door, paid, seen by its courier, and worth coins', async ({
  connection,
  run,
}) => {
  await sell(connection, 'p-1', 50, 5);
  await Promise.all(['orders', 'payments', 'deliveries', 'wallet', 'cart'].map((name) => run(name)));
  const customer = { sub: 'u-1', name: 'Uma' };
  const merchant = { sub: 'o-1', role: 'merchant_owner', merchantId: 'm-1' };
  const courier = { sub: 'd-1', role: 'delivery_partner', name: 'Dev' };
  await outcomeOf(
    connection,
    await sendCommand(connection, 'cart.add_item', customer, { productId: 'p-1', quantity: 2 }),
  );
  const destination = { latitude: 12.97, longitude: 77.59 };
  const placed = await outcomeOf(
    connection,
    await sendCommand(connection, 'order.place', customer, {
      ...{ merchantId: 'm-1', items: [{ productId: 'p-1', quantity: 2 }], destination },
    }),
  );
  const { orderId } = placed.payload['result'] as { orderId: string };
  const update = async (actor: typeof merchant | typeof courier, status: string) =>
    await outcomeOf(connection, await sendCommand(connection, 'order.update_status', actor, { orderId, status }));

  expect(await update(merchant, 'delivered')).toMatchObject({
    kind: 'rejected',
    payload: { code: 'illegal_transition', state: { orderId, status: 'placed' } },
  });
  expect((await update({ ...merchant, merchantId: 'm-2' }, 'confirmed')).payload).toMatchObject({
    code: 'unknown_order',
  });
  for (const status of ['confirmed', 'preparing', 'ready'])
    expect((await update(merchant, status)).kind).toBe('applied');
  expect((await update(courier, 'out_for_delivery')).kind).toBe('applied');
  await eventually(async () => (await grantOf(connection, orderId, 'd-1')) === '{}');
  const report = async (location: { latitude: number; longitude: number }) =>
    await outcomeOf(
      connection,
      await sendCommand(connection, 'delivery.report_location', courier, { orderId, location }),
    );
  expect((await report({ latitude: 12.99, longitude: 77.59 })).kind).toBe('applied');
  expect((await report(destination)).kind).toBe('applied');
  expect((await update(courier, 'delivered')).kind).toBe('applied');

  const [wallet] = await eventually(async () => {
    const found = await readEvents(connection, 'USER', 'wallet.u-1.balance_updated');
    return found.length > 0 && found;
  });
  expect(wallet?.payload).toMatchObject({ balances: { rezCoins: 5 }, change: { orderId, operation: 'credit' } });
  await eventually(
    async () => (await readEvents(connection, 'PAYMENT', `payment.m-1.u-1.${orderId}.confirmed`)).length === 1,
  );
  await eventually(async () => (await newestCart(connection, 'u-1'))?.['totalItems'] === 0);
  const types = async (stream: string, filter: string) =>
    (await readEvents(connection, stream, filter)).map(({ subject }) => subject.split('.').at(-1));
  expect(await types('ORDER', `*.m-1.u-1.${orderId}.*`)).toEqual([
    'created',
    ...Array.from({ length: 4 }, () => 'status_changed'),
    ...['location_updated', 'eta_updated', 'location_updated', 'eta_updated', 'arrived', 'status_changed'],
  ]);
  expect(await types('SHOP', 'cart.u-1.cart-u-1.*')).toEqual(['sync', 'item_reserved', 'sync', 'item_released']);
  // Delivered: the courier is on the order's channel no longer.
  await eventually(async () => (await grantOf(connection, orderId, 'd-1')) === '');
});

// The server goes away in the middle of a burst of commands, orderly and not: services go on by themselves, and every
// command is applied once.
import type { NatsConnection } from '@nats-io/transport-node';
import { carrierOf, createGrants, type RunningService, SERVICES, startService } from '@sluice/producers';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import {
  readEvents,
  readOutcomes,
  sendCommand,
  type SentCommand,
  serviceTest as test,
  storeEvent,
} from '../kit/services.ts';

const ROUND = 150;
const STOCK = 5_000;

const openStore = async (connection: NatsConnection): Promise<void> => {
  const timestamp = new Date().toISOString();
  const product = { productId: 'p-1', storeId: 'm-1', timestamp };
  await storeEvent(connection, 'product.price_updated', ['m-1', 'p-1'], { ...product, price: 2, previous: 2 });
  await storeEvent(connection, 'product.stock_updated', ['m-1', 'p-1'], { ...product, stock: STOCK, previous: 0 });
};

test('orders, payments and carts through restarts of the server', async ({ nats, connection }) => {
  await openStore(connection);
  const connections: NatsConnection[] = [];
  const start = async (name: string): Promise<RunningService> => {
    const own = await nats.connect();
    connections.push(own);
    const carryOut = carrierOf(await createGrants({ connection: own }));
    return await startService(SERVICES[name]!, { connection: own, ackWaitMs: 2_000, carryOut });
  };
  // Two copies of orders: they lose the server at the same time and come back as they like.
  const services = await Promise.all(['orders', 'orders', 'payments', 'cart'].map(start));
  const sent: SentCommand[] = [];
  for (const how of ['kill', 'stop', 'kill'] as const) {
    const before = (await readOutcomes(connection)).length;
    const items = [{ productId: 'p-1', quantity: 1 }];
    sent.push(
      ...(await Promise.all(
        Array.from({ length: ROUND }, (_, at) =>
          sendCommand(connection, 'order.place', { sub: `u-${at % 20}` }, { merchantId: 'm-1', items }),
        ),
      )),
    );
    await eventually(async () => (await readOutcomes(connection)).length > before + 10, { timeoutMs: 60_000 });
    await nats.restart(how);
    await eventually(async () => (await connection.rtt()) >= 0, { timeoutMs: 30_000 });
  }
  await eventually(async () => (await readOutcomes(connection)).length >= sent.length, {
    ...{ timeoutMs: 90_000, intervalMs: 500, what: 'an outcome per command' },
  });
  const paid = await eventually(
    async () => {
      const found = await readEvents(connection, 'PAYMENT', 'payment.*.*.*.confirmed');
      return found.length >= sent.length && found;
    },
    { timeoutMs: 90_000, intervalMs: 500, what: 'a payment per order' },
  );
  const ids = sent.map(({ commandId }) => commandId).sort();
  const outcomes = await readOutcomes(connection);
  const orders = await readEvents(connection, 'ORDER', 'order.*.*.*.created');
  expect(outcomes.map(({ commandId }) => commandId).sort()).toEqual(ids);
  expect(orders.map(({ payload }) => payload['commandId']).sort()).toEqual(ids);
  expect(paid.map(({ payload }) => payload['orderId']).sort()).toEqual(
    orders.map(({ payload }) => payload['orderId']).sort(),
  );
  const stock = await readEvents(connection, 'SHOP', 'product.m-1.p-1.stock_updated');
  expect(stock.map(({ payload }) => payload['stock'])).toEqual(
    Array.from({ length: sent.length + 1 }, (_, sold) => STOCK - sold),
  );
  await Promise.all(services.map((service) => service.stop()));
  await Promise.all(connections.map((each) => each.close()));
}, 300_000);

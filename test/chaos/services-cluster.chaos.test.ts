// Two copies of a service over a three-node cluster that loses the leaders of its streams in the middle of a burst: every
// command is applied once, whoever decided it and whichever acknowledgement was lost.
import type { NatsConnection } from '@nats-io/transport-node';
import { type RunningService, SERVICES, startService } from '@sluice/producers';
import { expect, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { startNatsCluster } from '../kit/nats-cluster.ts';
import { createServiceStreams, readEvents, readOutcomes, sendCommand, storeEvent } from '../kit/services.ts';

const ROUND = 150;
const STOCK = 5_000;
const PATIENCE = { timeoutMs: 90_000, intervalMs: 500 };

test('orders through the loss of the leaders of commands and of stock', async () => {
  await using cluster = await startNatsCluster(3);
  await using connection = await cluster.connect();
  await eventually(() => createServiceStreams(connection, { replicas: 3 }).then(() => true), PATIENCE);
  await cluster.waitUntilHealthy();
  const product = { productId: 'p-1', storeId: 'm-1', timestamp: new Date().toISOString() };
  await storeEvent(connection, 'product.price_updated', ['m-1', 'p-1'], { ...product, price: 2, previous: 2 });
  await storeEvent(connection, 'product.stock_updated', ['m-1', 'p-1'], { ...product, stock: STOCK, previous: 0 });
  const connections: NatsConnection[] = [];
  const start = async (): Promise<RunningService> => {
    const own = await cluster.connect();
    connections.push(own);
    return await startService(SERVICES['orders']!, { connection: own, ackWaitMs: 3_000 });
  };
  const copies = await Promise.all([start(), start()]);
  const ids: string[] = [];
  for (const stream of ['CMD', 'SHOP']) {
    const before = ids.length;
    const items = [{ productId: 'p-1', quantity: 1 }];
    const sent = await Promise.all(
      Array.from({ length: ROUND }, (_, at) =>
        sendCommand(connection, 'order.place', { sub: `u-${at % 20}` }, { merchantId: 'm-1', items }),
      ),
    );
    ids.push(...sent.map(({ commandId }) => commandId));
    await eventually(async () => (await readOutcomes(connection)).length > before + 10, PATIENCE);
    const leader = await cluster.waitForLeader(stream);
    await leader.kill();
    await eventually(async () => (await readOutcomes(connection)).length >= ids.length, PATIENCE);
    await leader.start();
    await cluster.waitUntilHealthy();
  }
  ids.sort();
  const outcomes = await readOutcomes(connection);
  const orders = await readEvents(connection, 'ORDER', 'order.*.*.*.created');
  const stock = await readEvents(connection, 'SHOP', 'product.m-1.p-1.stock_updated');
  expect(outcomes.map(({ commandId }) => commandId).sort()).toEqual(ids);
  expect(orders.map(({ payload }) => payload['commandId']).sort()).toEqual(ids);
  expect(stock.map(({ payload }) => payload['stock'])).toEqual(
    Array.from({ length: ids.length + 1 }, (_, sold) => STOCK - sold),
  );
  await Promise.all(copies.map((copy) => copy.stop()));
  await Promise.all(connections.map((each) => each.close()));
}, 300_000);

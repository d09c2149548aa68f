// Services that die in the middle of their work, and commands that come again: everything happens once.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type RunningService, SERVICES, startService } from '@sluice/producers';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import {
  outcomeOf,
  readEvents,
  readOutcomes,
  sendCommand,
  type SentCommand,
  serviceTest as test,
  startServiceProcess,
  storeEvent,
} from '../kit/services.ts';

const COMMANDS = 600;
const PRODUCTS = 3;
const STOCK = 10_000;

const stockStore = async (connection: NatsConnection, storeId: string): Promise<void> => {
  const timestamp = new Date().toISOString();
  for (let at = 0; at < PRODUCTS; at++) {
    const productId = `p-${at}`;
    const keys = [storeId, productId];
    await storeEvent(connection, 'product.price_updated', keys, {
      productId,
      storeId,
      price: 2,
      previous: 2,
      timestamp,
    });
    await storeEvent(connection, 'product.stock_updated', keys, {
      ...{ productId, storeId, stock: STOCK, previous: 0, timestamp },
    });
  }
};

const ITEMS = Array.from({ length: PRODUCTS }, (_, at) => ({ productId: `p-${at}`, quantity: 1 }));

const placeOrders = (connection: NatsConnection, first: number, count: number): Promise<SentCommand[]> =>
  Promise.all(
    Array.from({ length: count }, (_, at) =>
      sendCommand(
        connection,
        'order.place',
        { sub: `u-${(first + at) % 50}` },
        { merchantId: `m-${at % 2}`, items: ITEMS },
      ),
    ),
  );

const outcomesOf = (connection: NatsConnection, count: number) =>
  eventually(
    async () => {
      const found = await readOutcomes(connection);
      return found.length >= count && found;
    },
    { timeoutMs: 60_000, intervalMs: 200, what: `${count} outcomes` },
  );

test('two copies of orders, the one at work is killed again and again in the middle of a burst', async ({
  nats,
  connection,
}) => {
  await stockStore(connection, 'm-0');
  await stockStore(connection, 'm-1');
  const copies = [await startServiceProcess(nats.url, 'orders'), await startServiceProcess(nats.url, 'orders')];
  try {
    const sent: SentCommand[] = [];
    for (let round = 0; round < 3; round++) {
      const target = (await readOutcomes(connection)).length + COMMANDS / 12;
      sent.push(...(await placeOrders(connection, round, COMMANDS / 3)));
      // In the middle: some of the burst is done, the rest is not.
      await eventually(async () => (await readOutcomes(connection)).length >= target, { timeoutMs: 30_000 });
      // By turns: the one at work is the one that did not start last.
      const victim = round % copies.length;
      await copies[victim]!.kill();
      copies[victim] = await startServiceProcess(nats.url, 'orders');
    }
    const outcomes = await outcomesOf(connection, COMMANDS);
    expect(outcomes).toHaveLength(COMMANDS);
    expect(new Set(outcomes.map(({ commandId }) => commandId))).toEqual(
      new Set(sent.map(({ commandId }) => commandId)),
    );
    expect(outcomes.filter(({ kind }) => kind !== 'applied')).toEqual([]);

    // Each command made one order, and the orders that the senders were told of are those that exist.
    const orders = await readEvents(connection, 'ORDER', 'order.*.*.*.created');
    expect(orders.map(({ payload }) => payload['commandId']).sort()).toEqual(
      sent.map(({ commandId }) => commandId).sort(),
    );
    expect(new Set(orders.map(({ payload }) => payload['orderId']))).toEqual(
      new Set(outcomes.map(({ payload }) => (payload['result'] as { orderId: string }).orderId)),
    );
    // And took from every shelf once.
    for (const store of ['m-0', 'm-1']) {
      for (const { productId } of ITEMS) {
        const counts = (await readEvents(connection, 'SHOP', `product.${store}.${productId}.stock_updated`)).map(
          ({ payload }) => payload['stock'],
        );
        expect(counts).toEqual(Array.from({ length: COMMANDS / 2 + 1 }, (_, sold) => STOCK - sold));
      }
    }
  } finally {
    await Promise.all(copies.map((copy) => copy.stop()));
  }
}, 120_000);

test('a command that comes again, after a restart too, repeats nothing', async ({ connection, run }) => {
  await stockStore(connection, 'm-1');
  const first = await run('orders');
  const applied = await sendCommand(connection, 'order.place', { sub: 'u-1' }, { merchantId: 'm-1', items: ITEMS });
  const rejected = await sendCommand(
    connection,
    'order.place',
    { sub: 'u-1' },
    { merchantId: 'm-1', items: [{ productId: 'p-unknown', quantity: 1 }] },
  );
  expect((await outcomeOf(connection, applied)).kind).toBe('applied');
  expect((await outcomeOf(connection, rejected)).kind).toBe('rejected');
  await first.stop();
  // All of them once more, as to a service whose consumer was lost; and what was refused could be sold now.
  await (await jetstreamManager(connection)).consumers.delete('CMD', 'service-orders');
  const timestamp = new Date().toISOString();
  await storeEvent(connection, 'product.price_updated', ['m-1', 'p-unknown'], {
    ...{ productId: 'p-unknown', storeId: 'm-1', price: 2, previous: 2, timestamp },
  });
  await run('orders');
  const marker = await sendCommand(connection, 'order.place', { sub: 'u-2' }, { merchantId: 'm-1', items: ITEMS });
  expect((await outcomeOf(connection, marker)).kind).toBe('applied');
  await eventually(async () => {
    const { num_pending, num_ack_pending } = await (
      await jetstream(connection).consumers.get('CMD', 'service-orders')
    ).info();
    return num_pending + num_ack_pending === 0;
  });
  expect(await readEvents(connection, 'ORDER', 'order.*.*.*.created')).toHaveLength(2);
  expect((await readOutcomes(connection)).map(({ commandId, kind }) => [commandId, kind])).toEqual([
    [applied.commandId, 'applied'],
    [rejected.commandId, 'rejected'],
    [marker.commandId, 'applied'],
  ]);
});

test('a start from a snapshot reads what came after it, and knows the same', async ({ nats, connection }) => {
  await stockStore(connection, 'm-1');
  const own = await nats.connect();
  const start = (): Promise<RunningService> =>
    startService(SERVICES['orders']!, { connection: own, ackWaitMs: 5_000, snapshotEvery: 100 });
  const place = () => sendCommand(connection, 'order.place', { sub: 'u-1' }, { merchantId: 'm-1', items: ITEMS });
  const first = await start();
  const before = await Promise.all(Array.from({ length: 40 }, place));
  for (const command of before) expect((await outcomeOf(connection, command)).kind).toBe('applied');
  await eventually(() => first.stats.snapshots > 0);
  const after = await Promise.all(Array.from({ length: 5 }, place));
  for (const command of after) await outcomeOf(connection, command);
  await first.stop();

  const second = await start();
  const stored = 40 + 5 + (40 + 5 + 2) * PRODUCTS;
  expect(second.rebuilt.events).toBeLessThanOrEqual(stored - 100);
  // Orders from before and after the snapshot are known, with all that there is to take back.
  for (const command of [before[0]!, after[0]!]) {
    const { orderId } = (await outcomeOf(connection, command)).payload['result'] as { orderId: string };
    const cancelled = await sendCommand(connection, 'order.cancel', { sub: 'u-1' }, { orderId });
    expect((await outcomeOf(connection, cancelled)).kind).toBe('applied');
  }
  const stock = async (): Promise<unknown> =>
    (await readEvents(connection, 'SHOP', 'product.m-1.p-2.stock_updated')).at(-1)?.payload['stock'];
  await eventually(async () => (await stock()) === STOCK - 45 + 2);
  await second.stop();

  // Another stream of the same name: nothing of the old one is true.
  const manager = await jetstreamManager(connection);
  for (const name of ['ORDER', 'SHOP']) {
    const { config } = await manager.streams.info(name);
    await manager.streams.delete(name);
    await manager.streams.add(config);
  }
  const third = await start();
  expect(third.rebuilt.events).toBe(0);
  const unknown = await outcomeOf(connection, await place());
  expect(unknown).toMatchObject({ kind: 'rejected', payload: { code: 'unknown_product' } });
  await third.stop();
  await own.close();
});

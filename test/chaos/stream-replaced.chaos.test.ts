// A stream that is not what it was: purged, deleted and created again, rolled back to an older copy. Connected clients
// are reset, and so are those who come back later with an old position, to this pod or to one that never saw the past (I2).
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import { ORDER_STREAM, PAYMENT_STREAM, createOrderStreams, publishOrderEvents } from '../kit/order-events.ts';
import { comeBack, pastOf } from '../kit/past.ts';

const CHANNEL = 'order:o-1';
const FILTERS = customerOrderFilters('u-1', 'o-1');

interface Fixtures {
  /** A pod that has seen nothing yet and holds next to nothing: it answers from the streams. */
  freshGateway: () => Promise<Gateway>;
}

const test = base.extend<Fixtures>({
  freshGateway: async ({ nats }, use) => {
    const started: Gateway[] = [];
    await use(async () => {
      const fresh = await startGateway({ natsUrl: nats.url, env: { SLUICE_TAIL_SECONDS: '0' } });
      started.push(fresh);
      return fresh;
    });
    for (const gateway of started) await gateway[Symbol.asyncDispose]();
  },
});

/** Events of every kind for the customer's order, to both streams. */
const publish = async (connection: NatsConnection, count: number): Promise<void> => {
  const types = Array.from({ length: 8 }, (_, index) => mixedEvent(index).type);
  await publishOrderEvents(connection, count, { orderId: 'o-1', types });
};

test('a purged stream truncates those who were away, and nobody who had seen it all', async ({
  connection,
  gateway,
  openClient,
  freshGateway,
}) => {
  await publish(connection, 40);
  const early = await pastOf(gateway, connection, CHANNEL, FILTERS);
  await publish(connection, 40);
  const audience = await Audience.open(openClient);
  const late = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const manager = await jetstreamManager(connection);

  await manager.streams.purge(ORDER_STREAM);
  await manager.streams.purge(PAYMENT_STREAM);

  const fresh = await freshGateway();
  expect(await comeBack(fresh, early, connection)).toMatchObject({ resets: ['truncated'], events: 0 });
  expect(await comeBack(fresh, late, connection)).toMatchObject({ resets: [], events: 0 });
  await publish(connection, 16);
  expect(await comeBack(fresh, early, connection)).toMatchObject({ resets: ['truncated'] });
  expect(await comeBack(fresh, late, connection)).toMatchObject({ resets: [], events: 16 });
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
});

test('a stream that was deleted and created again is a new one for everybody', async ({
  connection,
  gateway,
  openClient,
  freshGateway,
}) => {
  await publish(connection, 40);
  const old = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const audience = await Audience.open(openClient);
  const manager = await jetstreamManager(connection);

  await manager.streams.delete(ORDER_STREAM);
  await createOrderStreams(connection);
  await publish(connection, 64);

  // The merchant's channel draws on nothing else, so that its resets tell how often the pod noticed.
  await eventually(() => audience.resets().every(([reason]) => reason === 'new_stream'), { timeoutMs: 30_000 });
  await audience.live();
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([['new_stream'], ['new_stream'], ['new_stream'], ['new_stream']]);
  expect((await comeBack(gateway, old, connection)).resets).toEqual(['new_stream']);
  expect((await comeBack(await freshGateway(), old, connection)).resets).toEqual(['new_stream']);
});

test('a stream that was rolled back to an older copy resets those who had seen more, and only those', async ({
  nats,
  connection,
  gateway,
  openClient,
  freshGateway,
}) => {
  await publish(connection, 40);
  const early = await pastOf(gateway, connection, CHANNEL, FILTERS);
  await nats.copyStore(nats.scratch('older'));
  await eventually(() => connection.rtt());
  await publish(connection, 40);
  const late = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const audience = await Audience.open(openClient);

  await nats.replaceStore(nats.scratch('older'));

  await eventually(() => audience.resets().every(([reason]) => reason === 'rolled_back'), { timeoutMs: 30_000 });
  await audience.live();
  const fresh = await freshGateway();
  expect(await comeBack(fresh, early, connection)).toMatchObject({ resets: [], events: 0 });
  // Past the end, for all that a pod without a past can tell.
  expect((await comeBack(fresh, late, connection)).resets).toEqual(['ahead']);
  await publish(connection, 16);
  await audience.expectComplete(connection);
});

test('a stream that was rolled back and grew past its old end while the pod was away is noticed', async ({
  nats,
  natsProxy,
  connection,
  gateway,
  openClient,
  freshGateway,
}) => {
  await publish(connection, 40);
  const early = await pastOf(gateway, connection, CHANNEL, FILTERS);
  await nats.copyStore(nats.scratch('older'));
  await eventually(() => connection.rtt());
  await publish(connection, 40);
  await gateway.waitUntilReady();
  const late = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const audience = await Audience.open(openClient);

  natsProxy.partition();
  await nats.replaceStore(nats.scratch('older'));
  await eventually(() => connection.rtt());
  await publish(connection, 80);
  natsProxy.heal();

  await eventually(() => audience.resets().every(([reason]) => reason === 'rolled_back'), { timeoutMs: 30_000 });
  await audience.live();
  await audience.expectComplete(connection);
  const fresh = await freshGateway();
  for (const pod of [gateway, fresh]) {
    expect(await comeBack(pod, early, connection)).toMatchObject({ resets: [], events: 80 });
    expect((await comeBack(pod, late, connection)).resets).toEqual(['rolled_back']);
  }
});

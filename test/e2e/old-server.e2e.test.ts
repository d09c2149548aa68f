// A nats-server from before batched direct gets (2.9.10) serves all the same, with single gets: snapshots, resumes from
// the tail and from the stream, first events of every kind.
import { jetstreamManager } from '@nats-io/jetstream';
import type { FirstEvents } from '@sluice/schemas';
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { expectComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { type GatewayFixtures, test as base } from '../kit/fixtures.ts';
import { startGateway } from '../kit/gateway.ts';
import { oldNatsServerBinary } from '../kit/nats-binary.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import { ORDER_STREAM, publishOrderEvents, startSteadyLoad } from '../kit/order-events.ts';
import { comeBack, pastOf } from '../kit/past.ts';

const CHANNEL = 'order:o-1';
const FILTERS = customerOrderFilters('u-1', 'o-1');
const TYPES = Array.from({ length: 8 }, (_, index) => mixedEvent(index).type);

const test = base.extend<Pick<GatewayFixtures, 'nats'>>({
  nats: async ({ task }, use) => {
    void task;
    await using nats = await startNatsServer({ binary: await oldNatsServerBinary() });
    await use(nats);
  },
});

test('an old server: states, live and a restart under load', async ({ nats, connection, openClient }) => {
  await publishOrderEvents(connection, 200, { types: TYPES, orderId: 'o-1' });
  const audience = await Audience.open(openClient);
  const load = startSteadyLoad(connection, { eventsPerSecond: 300, next: mixedEvent });
  await eventually(() => load.stored.length > 100);

  await nats.restart('kill');

  const before = load.stored.length;
  await eventually(() => load.stored.length > before + 100, { timeoutMs: 30_000 });
  await load.stop();
  await audience.expectComplete(connection);
  expect(connection.info?.version).toMatch(/^2\.(9|10)\./);
});

test('an old server: clients resume from the tail, from the stream and past retention', async ({
  nats,
  connection,
  gateway,
}) => {
  await publishOrderEvents(connection, 40, { types: TYPES, orderId: 'o-1' });
  const past = await pastOf(gateway, connection, CHANNEL, FILTERS);
  await publishOrderEvents(connection, 200, { types: TYPES, orderId: 'o-1' });
  await using fresh = await startGateway({ natsUrl: nats.url, env: { SLUICE_TAIL_SECONDS: '0' } });

  for (const pod of [gateway, fresh]) {
    expect(await comeBack(pod, past, connection)).toMatchObject({ resets: [], events: 200 });
  }
  const manager = await jetstreamManager(connection);
  await manager.streams.purge(ORDER_STREAM, { seq: 150 });
  expect((await comeBack(fresh, past, connection)).resets).toEqual(['truncated']);
});

test('an old server: first events of every kind', async ({ nats, connection, openClient }) => {
  await publishOrderEvents(connection, 80, { types: TYPES, orderId: 'o-1' });
  await using fresh = await startGateway({ natsUrl: nats.url, env: { SLUICE_TAIL_SECONDS: '0' } });
  const counts: Record<string, number> = {};

  for (const first of ['states', 'all', 'none', { last: 5 }, { sinceMs: 60_000 }] satisfies FirstEvents[]) {
    const client = await openClient({ url: fresh.url, name: JSON.stringify(first) });
    await client.subscribeUntilLive(CHANNEL, { first });
    const whole = first === 'all' || first === 'none' || first === 'states' ? first : 'tail';
    await expectComplete(connection, client.recorder, CHANNEL, { filters: FILTERS, first: whole });
    counts[JSON.stringify(first)] = client.recorder.count(CHANNEL);
  }

  expect(counts).toEqual({ '"states"': 6, '"all"': 80, '"none"': 0, '{"last":5}': 10, '{"sinceMs":60000}': 80 });
});

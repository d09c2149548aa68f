// The connection between the gateway and NATS is cut or goes silent, while NATS and its publishers are well.
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startSteadyLoad } from '../kit/order-events.ts';

const pass = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

test('clients keep their connections and get what was stored while the pod was cut off from NATS for 10 s', async ({
  connection,
  natsProxy,
  openClient,
}) => {
  const audience = await Audience.open(openClient);
  const load = startSteadyLoad(connection, { eventsPerSecond: 500, next: mixedEvent });
  await eventually(() => load.stored.length > 200);

  natsProxy.partition();
  const storedBefore = load.stored.length;
  await pass(10_000);
  const storedMeanwhile = load.stored.length - storedBefore;
  natsProxy.heal();

  await audience.hasSeenMark(load.stored.length, 30_000);
  await load.stop();
  expect(storedMeanwhile).toBeGreaterThan(1_000);
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
  expect(audience.seats.map(({ client }) => client.states.filter((state) => state === 'connected').length)).toEqual([
    1, 1, 1, 1,
  ]);
});

test('a connection that is cut again and again, also while it catches up, loses and repeats nothing', async ({
  connection,
  natsProxy,
  openClient,
}) => {
  const audience = await Audience.open(openClient);
  const load = startSteadyLoad(connection, { eventsPerSecond: 1_000, next: mixedEvent });
  await eventually(() => load.stored.length > 200);

  for (let cuts = 0; cuts < 6; cuts += 1) {
    natsProxy.cut();
    await pass(150 + cuts * 100);
  }

  await load.stop();
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
});

test('a connection over which nothing comes any more, and which nobody closed, is given up', async ({
  connection,
  natsProxy,
  openClient,
  gateway,
}) => {
  const audience = await Audience.open(openClient);
  const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
  await eventually(() => load.stored.length > 200);

  natsProxy.freeze('toClient');
  await eventually(async () => (await gateway.metrics()).sum('sluice_reader_doubts_total', { cause: 'silence' }) > 0);
  natsProxy.heal();

  await audience.hasSeenMark(load.stored.length);
  await load.stop();
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
});

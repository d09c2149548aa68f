// Connections of clients are cut at random moments, under load: each comes back with its positions and has everything (I1, I2).
import { expect } from 'vitest';
import { Audience, type Seat, expectSeatsComplete, mixedEvent } from '../kit/audience.ts';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startSteadyLoad } from '../kit/order-events.ts';
import { seededRandom } from '../kit/seed.ts';

const subscriptions = ({ client, channel }: Seat): { isRecovered: boolean }[] =>
  client.recorder.entries(channel).filter((entry) => entry.kind === 'subscribed');

test('a minute of cuts at random moments, at 1,000 events/s, loses and repeats nothing', async ({
  connection,
  clientProxy,
  openClient,
}) => {
  const audience = await Audience.open(openClient, { more: { stableAfterMs: 100 } });
  const load = startSteadyLoad(connection, { eventsPerSecond: 1_000, next: mixedEvent });
  await eventually(() => load.stored.length > 200);

  const cuts = clientProxy.cutAtRandom({ random: seededRandom('cuts'), minMs: 20, maxMs: 1_500 });
  await eventually(() => load.stored.length > 60_000, { timeoutMs: 180_000, intervalMs: 200 });
  const cutConnections = cuts.stop();

  await load.stop();
  await audience.expectComplete(connection);
  expect(cutConnections).toBeGreaterThan(30);
  expect(audience.resets()).toEqual([[], [], [], []]);
  for (const seat of audience.seats) {
    expect(subscriptions(seat).length).toBeGreaterThan(5);
    expect(subscriptions(seat).filter(({ isRecovered }) => !isRecovered)).toHaveLength(1);
  }
});

test('twenty channels over a throttled link that is cut every second get all of their events', async ({
  connection,
  clientProxy,
  openClient,
}) => {
  const orders = Array.from({ length: 20 }, (_, index) => `o-${index}`);
  const client = await openClient({ more: { stableAfterMs: 100 } });
  const seats = orders.map((orderId) => ({
    client,
    channel: `order:${orderId}`,
    filters: customerOrderFilters('u-1', orderId),
  }));
  for (const { channel } of seats) client.subscribe(channel, { first: 'all' });
  for (const { channel } of seats) await client.live(channel);
  // More than the link carries while the load runs: the client is behind, again and again, on all channels.
  clientProxy.throttle(40_000, 'toClient');
  const load = startSteadyLoad(connection, {
    eventsPerSecond: 500,
    next: (index) => ({ ...mixedEvent(index), orderId: orders[index % 20]!, userId: 'u-1' }),
  });

  const cuts = clientProxy.cutAtRandom({ random: () => 0, minMs: 1_000, maxMs: 1_000 });
  await eventually(() => load.stored.length > 7_500, { timeoutMs: 60_000, intervalMs: 100 });
  const stored = await load.stop();
  const seen = client.recorder.total();
  await eventually(() => subscriptions(seats[0]!).length > 15, { timeoutMs: 30_000, intervalMs: 100 });
  cuts.stop();
  clientProxy.heal();

  expect(seen).toBeLessThan(stored.length);
  await expectSeatsComplete(connection, seats, { first: 'all' });
  expect(seats.flatMap(({ channel }) => client.recorder.resets(channel))).toEqual([]);
});

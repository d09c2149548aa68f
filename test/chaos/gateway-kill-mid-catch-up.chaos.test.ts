// I7: a pod holds nothing that matters. One is killed while its clients catch up; they go on at another pod.
import { describe, expect } from 'vitest';
import { type Seat, expectSeatsComplete, mixedEvent } from '../kit/audience.ts';
import { publishBacklog } from '../kit/backlog.ts';
import { customerOrderFilters, userFilters } from '../kit/channel-filters.ts';
import { eventually } from '../kit/eventually.ts';
import { startSteadyLoad } from '../kit/order-events.ts';
import { test } from '../kit/two-gateways.ts';

const CHANNELS = [
  { channel: 'order:o-1', filters: customerOrderFilters('u-1', 'o-1') },
  { channel: 'order:o-2', filters: customerOrderFilters('u-1', 'o-2') },
  { channel: 'user:u-1', filters: userFilters('u-1') },
];

/** For each client far more than the buffers between it and the gateway hold. */
const BACKLOG = { events: 3_000, paddingBytes: 4_096 };

const isUnderWay = ({ client, channel }: Seat): boolean =>
  client.recorder.count(channel) > 30 && !client.recorder.isLive(channel);

const recoveries = ({ client, channel }: Seat): boolean[] =>
  client.recorder.entries(channel).flatMap((entry) => (entry.kind === 'subscribed' ? [entry.isRecovered] : []));

describe.for([
  { where: 'the tail', source: 'tail', env: {} },
  { where: 'JetStream', source: 'cold', env: { SLUICE_TAIL_MAX_BYTES: '1048576' } },
])('clients that catch up from $where', ({ source, env }) => {
  test.override({ gatewayEnv: env });

  test('go on at another gateway when theirs is killed, and miss nothing', async ({
    connection,
    clientProxy,
    openClient,
    gateway,
    otherGateway,
  }) => {
    await publishBacklog(connection, BACKLOG);
    clientProxy.throttle(400_000, 'toClient');
    const clients = [await openClient({ name: 'one' }), await openClient({ name: 'two', encoding: 'json' })];
    const seats = clients.flatMap((client) => CHANNELS.map((channel) => ({ client, ...channel })));
    for (const { client, channel } of seats) client.subscribe(channel, { first: 'all' });
    await eventually(() => seats.every(isUnderWay), { timeoutMs: 30_000, what: 'everybody catches up' });
    const metrics = await gateway.metrics();

    await gateway.kill();
    clientProxy.retarget({ port: otherGateway.port });
    clientProxy.heal();
    const load = startSteadyLoad(connection, { eventsPerSecond: 200, next: mixedEvent });
    for (const { client, channel } of seats) await client.live(channel, 60_000);
    const stored = load.stored.length;
    await eventually(() => load.stored.length > stored + 100);
    await load.stop();

    expect(metrics.sum('sluice_subscriptions_behind')).toBe(seats.length);
    expect(metrics.sum('sluice_catch_up_events_total', { source })).toBeGreaterThan(0);
    await expectSeatsComplete(connection, seats, { first: 'all' });
    expect(seats.map(recoveries)).toEqual(seats.map(() => [false, true]));
    expect(seats.flatMap(({ client, channel }) => client.recorder.resets(channel))).toEqual([]);
  });
});

// What a stream may hold beside plain events: holes, delete markers, headers that look like the server's own.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { assertComplete, expectComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startGateway } from '../kit/gateway.ts';
import {
  ORDER_STREAM,
  PAYMENT_STREAM,
  orderPayload,
  orderSubject,
  publishEvent,
  publishOrderEvents,
} from '../kit/order-events.ts';
import { comeBack, pastOf } from '../kit/past.ts';
import { readStreams } from '../kit/stream-truth.ts';

const CHANNEL = 'order:o-17';
const FILTERS = customerOrderFilters('u-1', 'o-17');
const FROM_STREAMS = { SLUICE_TAIL_SECONDS: '0' };

test('delete markers are no events: not live, not in a snapshot, not in a replay', async ({
  nats,
  connection,
  gateway,
  openClient,
}) => {
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection);
  const { config } = await manager.streams.info(ORDER_STREAM);
  await manager.streams.update(ORDER_STREAM, {
    ...config,
    allow_msg_ttl: true,
    // The server clamps the life of a message to this, and a marker lives no longer.
    subject_delete_marker_ttl: 1_000_000_000,
    allow_rollup_hdrs: true,
  });
  await publishOrderEvents(connection, 5, { types: ['order.status_changed'] });
  const past = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL);

  // Two subjects expire, with events of others before, between and after.
  for (const type of ['order.location_updated', 'order.eta_updated'] as const) {
    const ttl = headers();
    ttl.set('Nats-TTL', '1s');
    await publishEvent(js, orderSubject(type), orderPayload(type, {}, 0), { headers: ttl });
    await publishOrderEvents(connection, 3, { types: ['order.status_changed'] });
  }
  const before = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);
  await eventually(async () => (await manager.streams.info(ORDER_STREAM)).state.last_seq === 15, {
    what: 'two delete markers',
  });
  // Markers that stay, for those who come later.
  for (const type of ['order.location_updated', 'order.eta_updated'] as const) {
    const marker = headers();
    marker.set('Nats-Marker-Reason', 'MaxAge');
    await publishEvent(js, orderSubject(type), new Uint8Array(), { headers: marker });
  }
  const [last] = await publishOrderEvents(connection, 1);

  await client.has(CHANNEL, last!);
  const [after] = await readStreams(connection, [ORDER_STREAM]);
  const orders = { ...before[0]!, events: [...before[0]!.events, after!.events.at(-1)!] };
  assertComplete(client.recorder, CHANNEL, [orders, before[1]!], { filters: FILTERS });
  expect(client.recorder.resets(CHANNEL)).toEqual([]);
  await using fresh = await startGateway({ natsUrl: nats.url, env: FROM_STREAMS });
  expect(await comeBack(fresh, past, connection)).toMatchObject({ resets: [], events: 7 });
  // Neither are they events that somebody got wrong.
  expect((await gateway.metrics()).sum('sluice_payloads_refused_total')).toBe(0);
  const newcomer = await openClient();
  await newcomer.subscribeUntilLive(CHANNEL);
  expect(newcomer.recorder.events(CHANNEL).map(({ type }) => type)).toEqual(['order.status_changed']);
});

test('events that are deleted in the middle, a position’s own among them, are passed over without a reset', async ({
  nats,
  connection,
  gateway,
}) => {
  const manager = await jetstreamManager(connection);
  await publishOrderEvents(connection, 50);
  const past = await pastOf(gateway, connection, CHANNEL, FILTERS);
  await publishOrderEvents(connection, 50);

  for (const sequence of [49, 50, 51, 60, 61, 75, 99]) await manager.streams.deleteMessage(ORDER_STREAM, sequence);

  await using fresh = await startGateway({ natsUrl: nats.url, env: FROM_STREAMS });
  expect(await comeBack(fresh, past, connection)).toMatchObject({ resets: [], events: 45 });
});

test('the newest event is deleted while the pod is away: it goes on where it was, and nobody is reset', async ({
  connection,
  gateway,
  natsProxy,
  openClient,
}) => {
  const manager = await jetstreamManager(connection);
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL);
  const stored = await publishOrderEvents(connection, 30);
  await client.has(CHANNEL, stored.at(-1)!);
  const truths = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);

  natsProxy.partition();
  for (const sequence of [28, 29, 30]) await manager.streams.deleteMessage(ORDER_STREAM, sequence);
  const more = await publishOrderEvents(connection, 30, { startAt: 30 });
  natsProxy.heal();

  await client.has(CHANNEL, more.at(-1)!);
  const [after] = await readStreams(connection, [ORDER_STREAM]);
  const events = [...truths[0]!.events, ...after!.events.filter(({ sequence }) => sequence > 30)];
  assertComplete(client.recorder, CHANNEL, [{ ...after!, events }, truths[1]!], { filters: FILTERS });
  expect(client.recorder.resets(CHANNEL)).toEqual([]);
  expect((await gateway.metrics()).sum('sluice_resets_total')).toBe(0);
});

test('headers that a producer forges change nothing: not the sequence, the time, the subject or the end of a read', async ({
  nats,
  connection,
  gateway,
  openClient,
}) => {
  const js = jetstream(connection);
  await publishOrderEvents(connection, 10);
  const past = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL);
  const forgeries: Record<string, string>[] = [
    { 'Nats-Sequence': '999999' },
    { 'Nats-Time-Stamp': '2001-01-01T00:00:00Z' },
    { 'Nats-Subject': orderSubject('order.created', { userId: 'u-2', orderId: 'o-9' }) },
    { 'Nats-Stream': PAYMENT_STREAM },
    { 'Nats-Last-Sequence': '7', 'Nats-Num-Pending': '0', 'Nats-UpTo-Sequence': '3' },
    { 'Nats-Last-Consumer': '1', 'Nats-Last-Stream': '1', 'Nats-Consumer-Stalled': 'order.forged' },
    { 'Nats-Marker-Reason': 'MaxAge' },
    { Status: '204', Description: 'EOB' },
    { Status: '404' },
    { Status: '100', Description: 'Idle Heartbeat' },
  ];

  for (const [index, forged] of forgeries.entries()) {
    const all = headers();
    for (const [name, value] of Object.entries(forged)) all.set(name, value);
    const type = 'order.status_changed';
    await publishEvent(js, orderSubject(type), orderPayload(type, {}, index), { headers: all });
    await publishOrderEvents(connection, 1, { types: ['payment.confirmed'] });
  }

  const [last] = await publishOrderEvents(connection, 1);
  await client.has(CHANNEL, last!);
  await expectComplete(connection, client.recorder, CHANNEL, { filters: FILTERS });
  expect(client.recorder.resets(CHANNEL)).toEqual([]);
  await using fresh = await startGateway({ natsUrl: nats.url, env: FROM_STREAMS });
  const missed = 2 * forgeries.length + 1;
  expect(await comeBack(fresh, past, connection)).toMatchObject({ resets: [], events: missed });
  const newcomer = await openClient();
  await newcomer.subscribeUntilLive(CHANNEL, { first: 'all' });
  await expectComplete(connection, newcomer.recorder, CHANNEL, { filters: FILTERS, first: 'all' });
});

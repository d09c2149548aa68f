// A position beyond what the pod has read: past the stream's end it is `ahead`; if only the pod is behind, the client
// waits, and is told to come back where that takes too long.
import { type EncodedPosition, encodePosition, parsePosition } from '@sluice/schemas';
import { expect } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { expectComplete } from '../kit/checker.ts';
import { consistently, eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startGateway } from '../kit/gateway.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import { comeBack, pastOf } from '../kit/past.ts';

const CHANNEL = 'order:o-17';
const FILTERS = customerOrderFilters('u-1', 'o-17');

test('a position past the end of the stream is reset as ahead', async ({ connection, gateway }) => {
  await publishOrderEvents(connection, 20, { types: ['order.created', 'payment.confirmed'] });
  const past = await pastOf(gateway, connection, CHANNEL, FILTERS);
  const parsed = parsePosition(past.position);
  if (!parsed.ok) throw new Error(past.position);
  const entries = parsed.value.entries.map((entry) => ({ ...entry, sequence: entry.sequence + 1_000 }));
  const position = encodePosition({ key: parsed.value.key, entries });

  const returned = await comeBack(gateway, { ...past, position }, connection);

  expect(returned.resets).toEqual(['ahead']);
});

test('a client that is ahead of a pod waits for it, and goes on without a reset', async ({
  connection,
  natsProxy,
  nats,
  openClient,
}) => {
  // This pod sees nothing of what is stored from here on, and its connection seems well.
  await publishOrderEvents(connection, 20);
  const client = await openClient();
  natsProxy.freeze('toClient');
  await publishOrderEvents(connection, 20, { startAt: 20 });
  await using elsewhere = await startGateway({ natsUrl: nats.url });
  const past = await pastOf(elsewhere, connection, CHANNEL, FILTERS);

  client.subscribe(CHANNEL, { position: past.position as EncodedPosition });

  // Longer than it takes to call a position past the end, shorter than the patience of the pod.
  await consistently(() => client.recorder.entries(CHANNEL).length === 0, { forMs: 3_000, what: 'nothing said' });
  natsProxy.thaw('toClient');
  await client.live(CHANNEL, 20_000);
  const more = await publishOrderEvents(connection, 20, { startAt: 40 });
  await client.has(CHANNEL, more.at(-1)!);
  expect(client.recorder.resets(CHANNEL)).toEqual([]);
  await expectComplete(connection, client.recorder, CHANNEL, { filters: FILTERS, after: past.after });
});

test('a client that is ahead of a pod for too long is told to come back, and gets everything then', async ({
  connection,
  natsProxy,
  nats,
  openClient,
}) => {
  const client = await openClient();
  natsProxy.freeze('toClient');
  await publishOrderEvents(connection, 20);
  await using elsewhere = await startGateway({ natsUrl: nats.url });
  const past = await pastOf(elsewhere, connection, CHANNEL, FILTERS);

  client.subscribe(CHANNEL, { position: past.position as EncodedPosition });
  await eventually(() => client.recorder.entries(CHANNEL).some((entry) => entry.kind === 'error'), {
    timeoutMs: 30_000,
    what: 'an error',
  });

  natsProxy.thaw('toClient');
  const more = await publishOrderEvents(connection, 20, { startAt: 40 });
  await client.has(CHANNEL, more.at(-1)!);
  const entries = client.recorder.entries(CHANNEL);
  expect(entries.filter((entry) => entry.kind === 'error')).toEqual([{ kind: 'error', code: 'behind' }]);
  expect(client.recorder.resets(CHANNEL)).toEqual([]);
  await expectComplete(connection, client.recorder, CHANNEL, { filters: FILTERS, after: past.after });
});

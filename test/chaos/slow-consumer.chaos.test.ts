// I5: clients that hardly read, beside clients that do, on one hot channel. They fall behind, cost the gateway no memory,
// and complete when they speed up; the others do not notice.
import { expect } from 'vitest';
import { publishBacklog } from '../kit/backlog.ts';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { assertComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import { test as base } from '../kit/fixtures.ts';
import { type RecordEntry, Recorder } from '../kit/recorder.ts';
import { ORDER_STREAM, PAYMENT_STREAM } from '../kit/order-events.ts';
import { readStreams } from '../kit/stream-truth.ts';

const CHANNEL = 'order:o-1';
const SLOW_CLIENTS = 8;
const PADDING_BYTES = 8_192;
/** The first part fills the buffers of the links, and brings the gateway's heap to its working size. */
const FIRST_EVENTS = 1_500;
/** 20 MB for each client; the tail holds a fifth of it. */
const MORE_EVENTS = 2_500;
/** Far less than what the gateway would hold if it buffered the second part for each of the slow clients. */
const MAX_GROWTH_BYTES = 0.4 * SLOW_CLIENTS * MORE_EVENTS * PADDING_BYTES;

const test = base.override({ gatewayEnv: { SLUICE_TAIL_MAX_BYTES: '4194304' } });

const padding = 'x'.repeat(PADDING_BYTES);

/** Shares the padding between all records: nine clients of this process keep 32 MB each otherwise. */
class LeanRecorder extends Recorder {
  override add(channel: string, entry: RecordEntry): void {
    if (entry.kind !== 'event') return super.add(channel, entry);
    const data = entry.data as { padding: string };
    super.add(channel, { ...entry, data: data.padding === padding ? { ...data, padding } : data });
  }
}

test('slow clients fall behind and complete, healthy ones are not held up, and memory stays bounded', async ({
  connection,
  gateway,
  openFrames,
}) => {
  await using slowLink = await FaultProxy.start({ port: gateway.port });
  const healthy = await openFrames({ recorder: new LeanRecorder('healthy') });
  const slow = await Promise.all(
    Array.from({ length: SLOW_CLIENTS }, (_, index) =>
      openFrames({
        url: slowLink.urlFor(gateway.url),
        encoding: index % 2 === 0 ? 'json' : 'msgpack',
        recorder: new LeanRecorder(`slow ${index}`),
      }),
    ),
  );
  const everybody = [healthy, ...slow];
  for (const client of everybody) await client.subscribeUntilLive(CHANNEL);
  slowLink.throttle(1_000, 'toClient');
  const types = ['order.status_changed', 'payment.confirmed', 'order.location_updated'] as const;
  const publish = async (events: number): Promise<void> => {
    const next = (index: number): { type: (typeof types)[number]; orderId: string } => ({
      type: types[index % types.length]!,
      orderId: 'o-1',
    });
    const before = healthy.recorder.count(CHANNEL);
    await publishBacklog(connection, { events, paddingBytes: PADDING_BYTES, next });
    await eventually(() => healthy.recorder.count(CHANNEL) === before + events, { what: 'the healthy client' });
  };
  await publish(FIRST_EVENTS);
  const memoryBefore = gateway.memoryBytes();

  await publish(MORE_EVENTS);
  const growth = gateway.memoryBytes() - memoryBefore;
  const behind = await gateway.metrics();
  const seenBySlow = slow.map(({ recorder }) => recorder.count(CHANNEL));
  slowLink.heal();
  const published = FIRST_EVENTS + MORE_EVENTS;
  for (const { recorder } of slow) {
    const what = `all events at ${recorder.name}`;
    await eventually(() => recorder.count(CHANNEL) >= published, { timeoutMs: 60_000, intervalMs: 100, what });
  }

  expect(behind.sum('sluice_subscriptions_behind')).toBe(SLOW_CLIENTS);
  expect(behind.sum('sluice_fell_behind_total')).toBeGreaterThanOrEqual(SLOW_CLIENTS);
  expect(Math.max(...seenBySlow)).toBeLessThan(FIRST_EVENTS);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  const truths = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);
  for (const { recorder } of everybody) {
    expect(recorder.count(CHANNEL)).toBe(published);
    assertComplete(recorder, CHANNEL, truths, { filters: customerOrderFilters('u-1', 'o-1') });
    expect(recorder.resets(CHANNEL)).toEqual([]);
  }
  await eventually(async () => (await gateway.metrics()).sum('sluice_subscriptions_behind') === 0);
});

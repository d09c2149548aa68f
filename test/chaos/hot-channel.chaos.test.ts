// A hot channel: 500 sockets that all fall behind at once, after NATS stood still and while their peers do not read.
// Falling behind must not feed on itself: they catch up together, from shared chunks, and are live again.
import { isDeepStrictEqual } from 'node:util';
import { jetstream } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { adminOrderFilters } from '../kit/channel-filters.ts';
import { assertComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { ORDER_STREAM, PAYMENT_STREAM, orderPayload, orderSubject, publishEvent } from '../kit/order-events.ts';
import { type RecordEntry, Recorder } from '../kit/recorder.ts';
import { readStreams } from '../kit/stream-truth.ts';
import { principals, secretIssuer } from '../kit/token.ts';

const SOCKETS = 500;
const CHANNEL = 'order:o-17';
/** The kernel takes some megabytes for a socket whose peer does not read before the gateway notices. */
const PADDING = 'x'.repeat(32 * 1024);
const MAX_EVENTS = 600;

/** Keeps one copy of data that all clients got alike. */
class SharingRecorder extends Recorder {
  static readonly #kept = new Map<number, unknown>();

  override add(channel: string, entry: RecordEntry): void {
    if (entry.kind !== 'event') return super.add(channel, entry);
    const kept = SharingRecorder.#kept.get(entry.sequence);
    if (kept === undefined) SharingRecorder.#kept.set(entry.sequence, entry.data);
    super.add(channel, isDeepStrictEqual(kept, entry.data) ? { ...entry, data: kept } : entry);
  }
}

test('500 sockets of a channel that fall behind together after a pause of NATS all recover', async ({
  nats,
  connection,
  gateway,
}) => {
  const js = jetstream(connection, { timeout: 20_000 });
  const issuer = secretIssuer();
  const type = 'order.status_changed';
  let published = 0;
  const publish = async (count: number): Promise<void> => {
    const batch = Array.from({ length: count }, () => {
      published += 1;
      return publishEvent(js, orderSubject(type), { ...orderPayload(type, {}, published), padding: PADDING });
    });
    await Promise.all(batch);
  };
  const behind = async (): Promise<number> => (await gateway.metrics()).sum('sluice_fell_behind_total');
  const clients: FrameClient[] = [];
  try {
    for (let index = 0; index < SOCKETS; index += 1) {
      // Admins: different users, and all under the same filters.
      const token = await issuer.sign(principals.admin(`admin-${index}`));
      const recorder = new SharingRecorder(`client ${index}`);
      clients.push(await FrameClient.open({ url: gateway.url, token, recorder, encoding: 'msgpack' }));
    }
    await Promise.all(clients.map((client) => client.subscribeUntilLive(CHANNEL, { first: 'none' })));

    for (const client of clients) client.raw.stopReading();
    await nats.pause();
    const stored = publish(30);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    nats.resume();
    await stored;
    while ((await behind()) < SOCKETS && published < MAX_EVENTS) await publish(10);
    expect(await behind()).toBeGreaterThanOrEqual(SOCKETS);
    for (const client of clients) client.raw.resumeReading();

    await publish(10);
    const truths = await readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);
    const last = { sequence: truths[0]!.lastSequence, subject: orderSubject(type) };
    for (const { recorder } of clients) {
      await eventually(() => recorder.has(CHANNEL, last), { timeoutMs: 60_000, what: `${recorder.name} at the end` });
      assertComplete(recorder, CHANNEL, truths, { filters: adminOrderFilters('o-17'), after: { [ORDER_STREAM]: 0 } });
    }
    expect((await gateway.metrics()).sum('sluice_subscriptions_behind')).toBe(0);
    await publish(1);
    for (const { recorder } of clients) {
      await eventually(() => recorder.has(CHANNEL, { ...last, sequence: last.sequence + 1 }));
      expect(recorder.resets(CHANNEL)).toEqual([]);
    }
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

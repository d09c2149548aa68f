// I2 and I3: a client was away and comes back, perhaps to another pod, and what it missed is in the tail or no more; and
// what a client begins with that has no position. Always over both streams.
import { describe, expect } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { assertComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import type { FrameClient } from '../kit/frame-client.ts';
import type { Gateway } from '../kit/gateway.ts';
import { ORDER_STREAM, PAYMENT_STREAM, type OrderEventType, publishOrderEvents } from '../kit/order-events.ts';
import { Recorder } from '../kit/recorder.ts';
import { type StreamTruth, type TrueEvent, readStreams } from '../kit/stream-truth.ts';
import { matchesSubject } from '../kit/subject-match.ts';

const CHANNEL = 'order:o-17';
const FILTERS = customerOrderFilters('u-1', 'o-17');
const MIX: readonly OrderEventType[] = [
  'order.created',
  'payment.processing',
  'order.status_changed',
  'order.location_updated',
  'payment.confirmed',
  'delivery.arrived',
];
const STATES_PER_STREAM = { [ORDER_STREAM]: 3, [PAYMENT_STREAM]: 2 };

/** A process that was not there when the events were stored: with a tail of 0 s it has none of them in memory. */
const restart = async (gateway: Gateway): Promise<void> => {
  await gateway.kill();
  await gateway.start();
};

const readBoth = (connection: Parameters<typeof readStreams>[0]): Promise<StreamTruth[]> =>
  readStreams(connection, [ORDER_STREAM, PAYMENT_STREAM]);

/** The channel's events of each stream, as the streams have them. */
const ofChannel = (truths: readonly StreamTruth[]): TrueEvent[][] =>
  FILTERS.map(({ stream, subjects }) =>
    truths
      .find((truth) => truth.stream === stream)!
      .events.filter(({ subject }) => subjects.some((filter) => matchesSubject(filter, subject))),
  );

/** What the recorder has of each stream. */
const seenOf = (recorder: Recorder): number[][] =>
  [/^(order|delivery)\./, /^payment\./].map((family) =>
    recorder
      .events(CHANNEL)
      .filter(({ type }) => family.test(type))
      .map(({ sequence }) => sequence),
  );

const isOrderedByTime = (recorder: Recorder): boolean =>
  recorder.events(CHANNEL).every(({ timeMs }, index, all) => index === 0 || all[index - 1]!.timeMs <= timeMs);

const publishMix = async (connection: Parameters<typeof readStreams>[0], count: number): Promise<void> => {
  // In turn with somebody else's, so that sequences have gaps for this client.
  for (let done = 0; done < count; done += 10) {
    await publishOrderEvents(connection, Math.min(10, count - done), { types: MIX, startAt: done });
    await publishOrderEvents(connection, 3, { types: MIX, userId: 'u-2' });
  }
};

describe.for([
  { where: 'the tail', source: 'tail', env: {}, encodings: ['json', 'msgpack'] as const },
  { where: 'JetStream', source: 'cold', env: { SLUICE_TAIL_SECONDS: '0' }, encodings: ['json', 'msgpack'] as const },
  {
    where: 'a tail that is too short for it',
    source: 'cold',
    env: { SLUICE_TAIL_MAX_BYTES: '1048576' },
    encodings: ['json'] as const,
  },
])('from $where', ({ source, env, encodings }) => {
  const test = base.override({ gatewayEnv: env });
  const isTooShort = 'SLUICE_TAIL_MAX_BYTES' in env;

  test.for(encodings)(
    'a client that was away gets what it missed, once and in order, then live events (%s)',
    async (encoding, { connection, gateway, openFrames }) => {
      const recorder = new Recorder();
      await publishMix(connection, 40);
      const before = await openFrames({ encoding, recorder });
      await before.subscribeUntilLive(CHANNEL, { first: 'all' });
      const position = before.positionOf(CHANNEL)!;
      before.raw.destroy();

      await publishMix(connection, 120);
      if (isTooShort) await publishOrderEvents(connection, 9_000, { orderId: 'o-1', userId: 'u-9' });
      else await restart(gateway);
      const after = await openFrames({ encoding, recorder });
      after.subscribe(CHANNEL, { position });
      await expect(after.next('subscribed')).resolves.toMatchObject({ recovered: true, position });
      await after.next('live');
      const caughtUp = (await gateway.metrics()).sum('sluice_catch_up_events_total', { source });
      await publishMix(connection, 20);

      const truths = await readBoth(connection);
      for (const last of ofChannel(truths).map((events) => events.at(-1)!)) {
        await eventually(() => recorder.has(CHANNEL, last));
      }
      assertComplete(recorder, CHANNEL, truths, { filters: FILTERS, first: 'all' });
      expect(recorder.count(CHANNEL)).toBe(180);
      expect(recorder.resets(CHANNEL)).toEqual([]);
      // Where only one of the streams has outgrown the tail, the other's third comes from there.
      expect(caughtUp).toBeGreaterThanOrEqual(isTooShort ? 80 : 120);
    },
  );

  test('what it begins with, without a position, is what it asked for', async ({ connection, gateway, openFrames }) => {
    await publishMix(connection, 60);
    if (isTooShort) await publishOrderEvents(connection, 9_000, { orderId: 'o-1', userId: 'u-9' });
    else await restart(gateway);
    const [orders, payments] = ofChannel(await readBoth(connection)) as [TrueEvent[], TrueEvent[]];
    const sequences = (events: readonly TrueEvent[]): number[] => events.map(({ sequence }) => sequence);
    const newestStates = (events: readonly TrueEvent[]): TrueEvent[] =>
      events.filter(
        ({ subject, sequence }) =>
          !subject.endsWith('.arrived') &&
          events.every((other) => other.subject !== subject || other.sequence <= sequence),
      );
    const begin = async (first: unknown): Promise<{ client: FrameClient; recorder: Recorder }> => {
      const recorder = new Recorder();
      const client = await openFrames({ recorder });
      await client.subscribeUntilLive(CHANNEL, first === undefined ? {} : { first });
      return { client, recorder };
    };

    const all = await begin('all');
    expect(seenOf(all.recorder)).toEqual([sequences(orders), sequences(payments)]);
    expect(isOrderedByTime(all.recorder)).toBe(true);

    const states = await begin('states');
    const expected = [newestStates(orders), newestStates(payments)];
    expect(expected.map(({ length }) => length)).toEqual(Object.values(STATES_PER_STREAM));
    expect(seenOf(states.recorder)).toEqual(expected.map(sequences));
    // The catalogue's choice for this channel.
    expect(seenOf((await begin(undefined)).recorder)).toEqual(expected.map(sequences));

    const none = await begin('none');
    expect(seenOf(none.recorder)).toEqual([[], []]);

    for (const last of [1, 7, 10_000]) {
      const some = await begin({ last });
      expect(seenOf(some.recorder)).toEqual([sequences(orders.slice(-last)), sequences(payments.slice(-last))]);
    }

    const since = await begin({ sinceMs: 3_600_000 });
    expect(seenOf(since.recorder)).toEqual([sequences(orders), sequences(payments)]);
    // Nothing is younger than no time at all.
    expect(seenOf((await begin({ sinceMs: 0 })).recorder)).toEqual([[], []]);

    // Whatever it began with, a client goes on live, and its position is good for a resume.
    const clients = [all, states, none, since];
    const [event] = await publishOrderEvents(connection, 1);
    for (const { client, recorder } of clients) {
      await eventually(() => recorder.has(CHANNEL, event!));
      client.raw.destroy();
    }
    const [missed] = await publishOrderEvents(connection, 1, { types: ['payment.failed'] });
    for (const { client, recorder } of clients) {
      const again = await openFrames({ recorder });
      again.subscribe(CHANNEL, { position: client.positionOf(CHANNEL)! });
      await expect(again.next('subscribed')).resolves.toMatchObject({ recovered: true });
      await eventually(() => recorder.has(CHANNEL, missed!));
      const { sequence } = missed!;
      expect(
        recorder.events(CHANNEL).filter((seen) => seen.sequence === sequence && seen.type === 'payment.failed'),
      ).toHaveLength(1);
    }
  });
});

base(
  'a client that asks for the last seconds gets those, by the clock of the server',
  async ({ connection, openFrames }) => {
    const old = await publishOrderEvents(connection, 4, { types: MIX });
    const { timeMs } = (await readBoth(connection))[0]!.events.at(-1)!;
    const SINCE_MS = 4_000;
    await eventually(() => Date.now() > timeMs + SINCE_MS + 500, { timeoutMs: 30_000 });
    const fresh = await publishOrderEvents(connection, 4, { types: MIX });

    const recorder = new Recorder();
    const client = await openFrames({ recorder });
    await client.subscribeUntilLive(CHANNEL, { first: { sinceMs: SINCE_MS } });

    for (const event of fresh) expect(recorder.has(CHANNEL, event)).toBe(true);
    for (const event of old) expect(recorder.has(CHANNEL, event)).toBe(false);
  },
);

base(
  'a position of one stream alone is completed with first events of the other',
  async ({ connection, openFrames }) => {
    await publishOrderEvents(connection, 6, { types: MIX });
    const first = await openFrames();
    await first.subscribeUntilLive(CHANNEL, { first: 'all' });
    const position = first.positionOf(CHANNEL)!;
    const [key, order] = position.split('~');

    const recorder = new Recorder();
    const client = await openFrames({ recorder });
    client.subscribe(CHANNEL, { position: `${key}~${order}`, first: 'all' });

    await expect(client.next('subscribed')).resolves.toMatchObject({ recovered: false });
    await client.next('live');
    expect(seenOf(recorder).map(({ length }) => length)).toEqual([0, 2]);
  },
);

base('of more states than a snapshot holds the newest come, oldest first', async ({ connection, openFrames }) => {
  await Promise.all(
    Array.from({ length: 300 }, (_, index) =>
      publishOrderEvents(connection, 1, { types: ['order.created'], orderId: `o-${index}` }),
    ),
  );
  const recorder = new Recorder();
  const client = await openFrames({ recorder });

  await client.subscribeUntilLive('user:u-1', { first: 'states' });

  const sequences = recorder.events('user:u-1').map(({ sequence }) => sequence);
  expect(sequences).toEqual(Array.from({ length: 200 }, (_, index) => 101 + index));
});

// Retention passes a client's cursor, before it comes back and while the pod reads for it: `truncated`, then states, then
// live. Never a replay that leaves something out (I2).
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import { ORDER_STREAM, publishOrderEvents } from '../kit/order-events.ts';
import { type Past, comeBack, pastOf } from '../kit/past.ts';
import type { Recorder } from '../kit/recorder.ts';

const CHANNEL = 'order:o-17';
const SEEN = 20;
const STORED = 1_000;
const RETAINED_FROM = 900;
/** Long enough for a purge to overtake a request or an answer of the pod. */
const DELAY_MS = 400;

interface Fixtures {
  /** After the first 20 events; 980 follow. */
  past: Past;
  /** Started after all of them, with next to no tail: what the client missed is read from the stream. */
  pod: Gateway;
}

const test = base.extend<Fixtures>({
  past: async ({ nats, connection }, use) => {
    const publish = async (count: number, startAt: number): Promise<void> => {
      const types = ['order.status_changed', 'order.location_updated', 'delivery.arrived'] as const;
      await publishOrderEvents(connection, count, { types, startAt });
    };
    await publish(SEEN, 0);
    await using early = await startGateway({ natsUrl: nats.url });
    const past = await pastOf(early, connection, CHANNEL, customerOrderFilters('u-1', 'o-17'));
    await publish(STORED - SEEN, SEEN);
    await use(past);
  },

  pod: async ({ past, natsProxy }, use) => {
    void past;
    const env = { SLUICE_TAIL_SECONDS: '0' };
    await using pod = await startGateway({ natsUrl: `nats://127.0.0.1:${natsProxy.port}`, env });
    await use(pod);
  },
});

/** Removes what is stored below the sequence, as retention does. */
const passCursor = async (connection: NatsConnection): Promise<void> => {
  const manager = await jetstreamManager(connection);
  await manager.streams.purge(ORDER_STREAM, { seq: RETAINED_FROM });
};

interface DirectGetQuery {
  seq?: number;
  batch?: number;
}

/** Resolves when the pod has asked for a direct get of this kind: NATS shows requests to whoever subscribes to them. */
const directGet = (connection: NatsConnection, isMeant: (query: DirectGetQuery) => boolean): Promise<void> =>
  new Promise((resolve) => {
    const subscription = connection.subscribe(`$JS.API.DIRECT.GET.${ORDER_STREAM}`, {
      callback: (_, message) => {
        if (!isMeant(message.json<DirectGetQuery>())) return;
        subscription.unsubscribe();
        resolve();
      },
    });
  });

const isCheckOfPosition = ({ seq, batch }: DirectGetQuery): boolean => seq === SEEN && batch === undefined;
const isFirstPage = ({ seq, batch = 0 }: DirectGetQuery): boolean => seq === SEEN + 1 && batch > 1;

/** Sequences that came before the reset, and what came from it on, repetitions left out. */
const aroundReset = (recorder: Recorder): { before: number[]; since: string[] } => {
  const entries = recorder.entries(CHANNEL);
  const at = entries.findIndex((entry) => entry.kind === 'reset');
  const kinds = entries.slice(at).map((entry) => (entry.kind === 'reset' ? entry.reason : entry.kind));
  return {
    before: entries.slice(0, at).flatMap((entry) => (entry.kind === 'event' ? [entry.sequence] : [])),
    since: kinds.filter((kind, index) => kind !== kinds[index - 1]),
  };
};

const expectTruncated = ({ recorder, resets }: { recorder: Recorder; resets: string[] }): number => {
  const { before, since } = aroundReset(recorder);
  expect(resets).toEqual(['truncated']);
  expect(since).toEqual(['truncated', 'event', 'live']);
  expect(before).toEqual(before.map((_, index) => SEEN + 1 + index));
  return before.length;
};

describe('a client whose cursor retention passes is truncated', () => {
  test('before it comes back', async ({ past, pod, connection }) => {
    await passCursor(connection);

    const returned = await comeBack(pod, past, connection);

    expect(expectTruncated(returned)).toBe(0);
    await publishOrderEvents(connection, 10);
    expect((await comeBack(pod, past, connection)).resets).toEqual(['truncated']);
  });

  test('after its position was checked, before the first page was read', async ({
    past,
    pod,
    connection,
    natsProxy,
  }) => {
    natsProxy.delay(DELAY_MS, 'toTarget');
    const passing = directGet(connection, isCheckOfPosition).then(() => passCursor(connection));
    await connection.flush();

    const returned = await comeBack(pod, past, connection);

    await passing;
    expect(expectTruncated(returned)).toBe(0);
  });

  test('while its first page is under way', async ({ past, pod, connection, natsProxy }) => {
    natsProxy.delay(DELAY_MS, 'toClient');
    const passing = directGet(connection, isFirstPage).then(() => passCursor(connection));
    await connection.flush();

    const returned = await comeBack(pod, past, connection);

    await passing;
    expect(expectTruncated(returned)).toBe(0);
  });

  test('between two pages', async ({ past, pod, connection, natsProxy }) => {
    natsProxy.delay(DELAY_MS, 'toTarget');
    const metricsOf = async (): Promise<number> => (await pod.metrics()).sum('sluice_events_delivered_total');
    const passing = eventually(metricsOf, { intervalMs: 5 }).then(() => passCursor(connection));

    const returned = await comeBack(pod, past, connection);

    await passing;
    expect(expectTruncated(returned)).toBeGreaterThan(0);
  });
});

test('a client whose next event is the first one that is retained misses nothing and is not reset', async ({
  past,
  pod,
  connection,
}) => {
  const manager = await jetstreamManager(connection);
  await manager.streams.purge(ORDER_STREAM, { seq: SEEN + 1 });

  expect(await comeBack(pod, past, connection)).toMatchObject({ resets: [], events: STORED - SEEN });
});

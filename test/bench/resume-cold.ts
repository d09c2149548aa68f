// What do clients that were away for long, and must be read from JetStream, get per second, and what do they do to those
// who publish meanwhile?
import { encodePosition, parsePosition } from '@sluice/schemas';
import type { Benchmark, Stage } from './benchmark.ts';
import { until, wait } from './clock.ts';
import { faultsOf, percentile } from './load-clients.ts';
import type { SocketPlan } from './load-socket.ts';
import { channelOf, createOperators, createOrders } from './population.ts';
import { sumOf } from './median.ts';
import type { Nats } from './nats.ts';
import type { Published } from './load-publisher.ts';
import { startCpuClock } from './process-stats.ts';
import type { Publisher } from './publisher.ts';
import type { Figure } from './report.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const RATE_PER_SECOND = 2_000;
const ALONE_MS = 5_000;
const OUT_OF_TAIL_MS = 2_500;
/** A tail of the last second only: what was published before is cold. */
const SETTINGS = { SLUICE_TAIL_SECONDS: '1' };
const LOG_EVERY_MS = 5_000;
const TIMEOUT_MS = 60_000;

const run = async (stage: Stage): Promise<Figure[]> => {
  const channels = stage.size(1_000, 50);
  const backlog = stage.size(1_000, 100);
  const issuer = createSharedSecretIssuer();
  const orders = createOrders(channels);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, orders, { payloadBytes: PAYLOAD_BYTES });
  const stored = await publisher.publish({ count: channels * backlog });
  stage.log(`${stored.events} events stored in ${stored.seconds.toFixed(1)} s`);
  await wait(OUT_OF_TAIL_MS);

  const clients = stage.clients();
  const users = await createOperators(issuer, channels, (i) => [{ channel: channelOf(orders[i]!), first: 'none' }]);
  const gateway = await stage.gateway(nats, { ...issuer.settings, ...SETTINGS });
  await clients.open({ set: 'before', server: gateway, goal: 'live', plans: users, payloadBytes: PAYLOAD_BYTES });
  const standing = (await clients.plans('before')).map(([plan]) => plan!.position!);
  await clients.drop('before');
  const seen = users.map((_, i) => 1 + Math.floor((i * backlog) / 2 / channels));
  const positions = await movePositions(nats, publisher, { standing, seen, stored, channels });

  const publish = async (durationMs: number): Promise<Published> =>
    publisher.publish({ ratePerSecond: RATE_PER_SECOND, count: (RATE_PER_SECOND * durationMs) / 1_000, ackEvery: 1 });
  await publish(1_000);
  const alone = await publish(stage.size(ALONE_MS, 1_000));

  const owedUntil = await publisher.counters();
  const plans = users.map((user, i): SocketPlan => {
    const { channel } = user.subscriptions[0]!;
    return { ...user, subscriptions: [{ channel, position: positions[i]!, next: seen[i]!, until: owedUntil[i]! }] };
  });
  await clients.prepare({ set: 'cold', server: gateway, goal: 'caught up', plans, payloadBytes: PAYLOAD_BYTES });
  const natsClock = startCpuClock(nats.pid);
  const gatewayClock = startCpuClock(gateway.pid);
  const beside = publisher.publish({ ratePerSecond: RATE_PER_SECOND, ackEvery: 1 });
  const opening = clients.start('cold', TIMEOUT_MS);
  const log = async (): Promise<void> => {
    const { events, live } = await clients.counts('cold');
    stage.log(
      `${events} events, ${live} caught up; core-seconds: gateway ${gatewayClock()}, nats-server ${natsClock()}`,
    );
  };
  const logging = setInterval(() => void log(), LOG_EVERY_MS);
  const { seconds } = await opening.finally(() => clearInterval(logging));
  const used = { gateway: gatewayClock(), nats: natsClock() };
  const fromCold = await gateway.metric('sluice_catch_up_events_total', 'source="cold"');
  const fromTail = await gateway.metric('sluice_catch_up_events_total', 'source="tail"');
  await publisher.finish();
  const loaded = await beside;

  const owed = sumOf(seen, (count) => -count) + sumOf([...owedUntil], (count) => count);
  const total = sumOf(seen, (count) => -count) + sumOf([...(await publisher.counters())], (count) => count);
  await until('everybody has everything', 20_000, async () => (await clients.counts('cold')).events >= total);
  const counts = await clients.counts('cold');
  const faults = faultsOf({ ...counts, lost: 0, duplicated: 0 });
  if (faults) throw new Error(faults);

  const aloneP99 = percentile(alone.ackLatenciesMs.sort(), 0.99);
  const loadedP99 = percentile(loaded.ackLatenciesMs.sort(), 0.99);
  return [
    { name: 'seconds', what: `seconds until ${channels} clients are caught up`, value: seconds },
    { name: 'events', what: 'events they had missed', value: owed },
    { name: 'eventsPerSecond', what: 'caught up per second', value: owed / seconds, atLeast: 20_000 },
    {
      name: 'publishAckP99Ms',
      what: 'publish to acknowledgement meanwhile, p99, ms',
      value: loadedP99,
      atMost: Math.max(3 * aloneP99, 20),
    },
    { name: 'publishAckP99AloneMs', what: 'the same without them, ms', value: aloneP99 },
    { name: 'publishesPerSecond', what: 'publishes per second meanwhile', value: loaded.events / loaded.seconds },
    { name: 'fromCold', what: 'events from cold reads', value: fromCold },
    { name: 'fromTail', what: 'events from the tail', value: fromTail },
    { name: 'gatewayCpuSeconds', what: 'core-seconds of the gateway', value: used.gateway },
    { name: 'natsCpuSeconds', what: 'core-seconds of nats-server', value: used.nats },
    { name: 'lost', what: 'lost', value: counts.lost, atMost: 0 },
    {
      name: 'duplicated',
      what: 'duplicated',
      value: counts.duplicated + Math.max(0, counts.events - total),
      atMost: 0,
    },
  ];
};

interface Past {
  /** Positions at the end of the backlog, as the gateway gave them. */
  readonly standing: readonly string[];
  /** Per channel, how many of its events are to count as seen. */
  readonly seen: readonly number[];
  readonly stored: Published;
  readonly channels: number;
}

/** The positions that the clients would hold if they had left when they had seen so many events. */
const movePositions = async (nats: Nats, publisher: Publisher, past: Past): Promise<string[]> => {
  const { standing, seen, stored, channels } = past;
  const places = await publisher.places();
  const sequences = seen.map((count, i) => stored.firstSequence + (count - 1) * channels + places[i]!);
  const timesMs = await nats.storeTimesMs(sequences);
  return standing.map((text, i) => {
    const position = parsePosition(text);
    if (!position.ok) throw new Error(`a position that cannot be read: ${text}`);
    // The backlog is in one stream, at whose end the clients stand; their entries of other streams stay.
    const entries = position.value.entries.map((entry) =>
      entry.sequence === stored.lastSequence ? { ...entry, sequence: sequences[i]!, timeMs: timesMs[i]! } : entry,
    );
    return encodePosition({ key: position.value.key, entries });
  });
};

export const resumeCold: Benchmark = {
  name: 'resume-cold',
  question:
    'a stream of 1,000,000 events, 1,000 clients whose positions are spread over its first half, 2,000 publishes/s',
  run,
};

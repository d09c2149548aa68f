// Do slow clients harm anybody? The same load on a hot channel with healthy sockets alone, then with slow ones beside
// them that read 1 KB/s, then these read as fast as they can and must turn out complete.
import type { Benchmark, Stage } from './benchmark.ts';
import { nowMs, until, wait } from './clock.ts';
import { faultsOf, type LoadClients, percentile } from './load-clients.ts';
import type { Gateway } from './gateway.ts';
import { channelOf, createOperators, createOrders } from './population.ts';
import { residentBytesOf, startCpuClock } from './process-stats.ts';
import type { Publisher } from './publisher.ts';
import type { Figure } from './report.ts';
import { createSharedSecretIssuer } from './tokens.ts';

/** Large enough that the kernel's socket buffers (megabytes) fill, and the gateway has to cope. */
const PAYLOAD_BYTES = 400;
const RATE_PER_SECOND = 1_500;
const SAMPLE_MS = 200;
/** Hundreds of thousands of events a second: one in so many is timed. Not a divisor of the number of sockets. */
const LATENCY_SAMPLE = 37;

interface Phase {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuShare: number;
  /** Highest and lowest resident memory of the gateway in the phase. */
  readonly peakBytes: number;
  readonly floorBytes: number;
}

const run = async (stage: Stage): Promise<Figure[]> => {
  const healthy = stage.size(400, 40);
  const slowOnes = stage.size(100, 10);
  const durationMs = stage.size(15_000, 2_000);
  const issuer = createSharedSecretIssuer();
  const [hot] = createOrders(1);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, [hot!], { payloadBytes: PAYLOAD_BYTES });
  const gateway = await stage.gateway(nats, issuer.settings);
  const clients = stage.clients();
  const users = await createOperators(issuer, healthy + slowOnes, () => [
    { channel: channelOf(hot!), first: 'none', next: 0 },
  ]);
  const open = (set: string, from: number, to: number) =>
    clients.open({ set, server: gateway, goal: 'live', plans: users.slice(from, to), payloadBytes: PAYLOAD_BYTES });
  await open('healthy', 0, healthy);
  await open('slow', healthy, healthy + slowOnes);

  await publishPhase(gateway, publisher, clients, stage.size(3_000, 500));
  const alone = await publishPhase(gateway, publisher, clients, durationMs);
  await clients.throttle('slow', true);
  // Until the slow ones are over their budgets, their share of the gateway's memory may grow: that is the budget.
  await publishPhase(gateway, publisher, clients, stage.size(5_000, 500));
  const beside = await publishPhase(gateway, publisher, clients, durationMs);
  const fellBehind = await gateway.metric('sluice_fell_behind_total');
  const total = await publisher.published();
  const missing = total - (await clients.slowest('slow'));
  stage.log(`${fellBehind} times a socket fell behind; the slowest socket lacks ${missing} of ${total} events`);

  const startedMs = nowMs();
  await clients.throttle('slow', false);
  await until('the slow sockets are complete', 30_000, async () => (await clients.slowest('slow')) === total);
  const recoverySeconds = (nowMs() - startedMs) / 1_000;
  const counts = await clients.counts('slow');
  const faults = faultsOf({ ...counts, lost: 0, duplicated: 0 }) || faultsOf(await clients.counts('healthy'));
  if (faults) throw new Error(faults);

  return [
    {
      name: 'healthyP99Ms',
      what: `p99 of ${healthy} healthy sockets beside ${slowOnes} slow ones, ms`,
      value: beside.p99Ms,
      // Unharmed: within the target of `latency`, or what they had before give or take the noise of one machine.
      atMost: Math.max(25, 1.5 * alone.p99Ms),
    },
    { name: 'healthyP99AloneMs', what: 'p99 before, ms', value: alone.p99Ms },
    { name: 'healthyP50Ms', what: 'p50 beside the slow ones, ms', value: beside.p50Ms },
    { name: 'healthyP50AloneMs', what: 'p50 before, ms', value: alone.p50Ms },
    {
      name: 'memoryGrowthBytes',
      what: 'gateway memory beside the slow ones, peak minus that before',
      value: Math.max(0, beside.peakBytes - alone.peakBytes),
      // The tail keeps growing to its cap in both phases; a budget of 256 KB per slow socket comes on top.
      atMost: toleratedGrowth(slowOnes, RATE_PER_SECOND, (durationMs * 4) / 3),
    },
    { name: 'peakBytes', what: 'gateway memory, peak', value: beside.peakBytes },
    { name: 'gatewayCpuShare', what: 'share of a core used by the gateway', value: beside.cpuShare },
    { name: 'gatewayCpuShareAlone', what: 'the same before', value: alone.cpuShare },
    {
      name: 'fellBehind',
      what: 'times a socket fell behind',
      value: fellBehind,
      ...(stage.isQuick ? {} : { atLeast: 1 }),
    },
    {
      name: 'recoverySeconds',
      what: `seconds until the slow ones had the ${missing} events they lacked`,
      value: recoverySeconds,
    },
    {
      name: 'lost',
      what: 'lost by slow sockets',
      value: counts.lost + Math.max(0, total * slowOnes - counts.events),
      atMost: 0,
    },
    { name: 'duplicated', what: 'duplicated to slow sockets', value: counts.duplicated, atMost: 0 },
  ];
};

/** Budgets of the slow sockets, what the tail takes in meanwhile (twice: slabs and bookkeeping), and V8's freedom. */
const toleratedGrowth = (sockets: number, ratePerSecond: number, durationMs: number): number =>
  sockets * 256 * 1_024 + 2 * (durationMs / 1_000) * ratePerSecond * PAYLOAD_BYTES + 16 * 1_024 ** 2;

const publishPhase = async (
  gateway: Gateway,
  publisher: Publisher,
  clients: LoadClients,
  durationMs: number,
): Promise<Phase> => {
  await clients.recordLatencies('healthy', LATENCY_SAMPLE);
  const cpuSeconds = startCpuClock(gateway.pid);
  const startedMs = nowMs();
  let isOver = false;
  let peakBytes = 0;
  let floorBytes = Number.POSITIVE_INFINITY;
  const sampling = (async () => {
    while (!isOver) {
      const bytes = residentBytesOf(gateway.pid);
      peakBytes = Math.max(peakBytes, bytes);
      floorBytes = Math.min(floorBytes, bytes);
      await wait(SAMPLE_MS);
    }
  })();
  await publisher.publish({ ratePerSecond: RATE_PER_SECOND, count: (RATE_PER_SECOND * durationMs) / 1_000 });
  const cpuShare = cpuSeconds() / ((nowMs() - startedMs) / 1_000);
  isOver = true;
  await sampling;
  const total = await publisher.published();
  await until('the healthy sockets are complete', 10_000, async () => (await clients.slowest('healthy')) === total);
  const latencies = await clients.latencies('healthy');
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), cpuShare, peakBytes, floorBytes };
};

export const slow: Benchmark = {
  name: 'slow',
  question: '100 sockets that read 1 KB/s beside 400 healthy ones on a hot channel',
  run,
};

// How long does an event take from the publish call to the client's callback, under a load that is no strain?
import type { Benchmark, Stage } from './benchmark.ts';
import { until } from './clock.ts';
import { faultsOf, percentile } from './load-clients.ts';
import { createCustomers, createOrders } from './population.ts';
import { startCpuClock } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const RATE_PER_SECOND = 2_000;

const run = async (stage: Stage) => {
  const sockets = stage.size(1_000, 100);
  const durationS = stage.size(15, 2);
  const issuer = createSharedSecretIssuer();
  const orders = createOrders(sockets);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, orders, { payloadBytes: PAYLOAD_BYTES });
  const gateway = await stage.gateway(nats, issuer.settings);
  const clients = stage.clients();
  const plans = await createCustomers(issuer, orders);
  await clients.open({ set: 'all', server: gateway, goal: 'live', payloadBytes: PAYLOAD_BYTES, plans });

  const warmUp = await publisher.publish({ ratePerSecond: RATE_PER_SECOND, count: RATE_PER_SECOND * 3 });
  const isComplete = (events: number): Promise<void> =>
    until('all delivered', 10_000, async () => (await clients.counts('all')).events >= events);
  await isComplete(warmUp.events);
  await clients.recordLatencies('all');
  const cpuSeconds = startCpuClock(gateway.pid);
  const { events, seconds } = await publisher.publish({
    ratePerSecond: RATE_PER_SECOND,
    count: RATE_PER_SECOND * durationS,
  });
  await isComplete(warmUp.events + events);
  const usedSeconds = cpuSeconds();
  const latencies = await clients.latencies('all');
  const faults = faultsOf(await clients.counts('all'));
  if (faults) throw new Error(faults);

  return [
    { name: 'p50Ms', what: 'publish call to client callback, p50, ms', value: percentile(latencies, 0.5), atMost: 5 },
    { name: 'p99Ms', what: 'p99, ms', value: percentile(latencies, 0.99), atMost: 25 },
    { name: 'p999Ms', what: 'p99.9, ms', value: percentile(latencies, 0.999) },
    { name: 'maxMs', what: 'slowest, ms', value: percentile(latencies, 1) },
    { name: 'eventsPerSecond', what: 'events per second', value: events / seconds },
    { name: 'gatewayCpuShare', what: 'share of a core used by the gateway', value: usedSeconds / seconds },
  ];
};

export const latency: Benchmark = {
  name: 'latency',
  question: '2,000 events/s over 1,000 channels with one socket each: publish call to client callback',
  run,
};

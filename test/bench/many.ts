// How many events does a core of the gateway deliver when every socket has a channel of its own, so that nothing can be
// shared? The ceiling is the system call: raw uWS sends of the same bytes to as many sockets at the same rate.
import type { Benchmark, Stage } from './benchmark.ts';
import { until } from './clock.ts';
import { faultsOf } from './load-clients.ts';
import { median } from './median.ts';
import { createCustomers, createOrders, createSilent } from './population.ts';
import { cpuSecondsOf, startCpuClock } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const ROUNDS = 3;
const RATE_PER_SECOND = 25_000;

interface Round {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const run = async (stage: Stage) => {
  const sockets = stage.size(10_000, 500);
  const durationMs = stage.size(6_000, 1_000);
  const issuer = createSharedSecretIssuer();
  const orders = createOrders(sockets);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, orders, { payloadBytes: PAYLOAD_BYTES });
  const gateway = await stage.gateway(nats, issuer.settings);
  const raw = stage.rawServer();
  const rawPort = await raw.call('listen', { payloadBytes: PAYLOAD_BYTES });
  const clients = stage.clients();
  const server = { host: '127.0.0.1', port: rawPort };
  const plans = await createCustomers(issuer, orders);
  await clients.open({ set: 'gateway', server: gateway, goal: 'live', payloadBytes: PAYLOAD_BYTES, plans });
  const silent = createSilent(sockets);
  await clients.open({ set: 'raw', server, goal: 'upgraded', payloadBytes: PAYLOAD_BYTES, plans: silent });
  stage.log(`${sockets} sockets on each side`);

  const isComplete = (set: string, events: number): Promise<void> =>
    until(`${set} delivered ${events}`, 20_000, async () => (await clients.counts(set)).events >= events);
  const throughGateway = async (ms: number): Promise<Round> => {
    const before = (await clients.counts('gateway')).events;
    const cpuSeconds = startCpuClock(gateway.pid);
    const { events, seconds } = await publisher.publish({
      ratePerSecond: RATE_PER_SECOND,
      count: (RATE_PER_SECOND * ms) / 1e3,
    });
    await isComplete('gateway', before + events);
    return { events, seconds, cpuSeconds: cpuSeconds() };
  };
  const throughRaw = async (ms: number): Promise<Round> => {
    const before = (await clients.counts('raw')).events;
    const round = await raw.call('send', { durationMs: ms, ratePerSecond: RATE_PER_SECOND });
    await isComplete('raw', before + round.events);
    return round;
  };

  await throughGateway(2_000);
  await throughRaw(1_000);
  const gatewayRounds: Round[] = [];
  const rawRounds: Round[] = [];
  const startedCpu = clients.pids.map(cpuSecondsOf);
  for (let i = 0; i < ROUNDS; i++) {
    rawRounds.push(await throughRaw(durationMs));
    gatewayRounds.push(await throughGateway(durationMs));
    stage.log(`round ${i + 1}: gateway ${describe(gatewayRounds[i]!)}, raw ${describe(rawRounds[i]!)}`);
  }
  stage.log(
    `load clients used ${clients.pids.map((pid, i) => (cpuSecondsOf(pid) - startedCpu[i]!).toFixed(1)).join(' + ')} s`,
  );
  for (const set of ['gateway', 'raw']) {
    const faults = faultsOf(await clients.counts(set));
    if (faults) throw new Error(`${set}: ${faults}`);
  }

  const perCore = median(gatewayRounds.map(toPerCore));
  const rawPerCore = median(rawRounds.map(toPerCore));
  const ratio = median(gatewayRounds.map((round, i) => toPerCore(round) / toPerCore(rawRounds[i]!)));
  return [
    { name: 'eventsPerCoreSecond', what: `events per core-second, ${sockets} channels`, value: perCore },
    { name: 'vsRawUws', what: 'of raw uWS sends, median of 3', value: ratio, atLeast: 0.5 },
    { name: 'rawEventsPerCoreSecond', what: 'raw uWS sends per core-second', value: rawPerCore },
    {
      name: 'eventsPerSecond',
      what: 'events per second through JetStream',
      value: median(gatewayRounds.map(({ events, seconds }) => events / seconds)),
      // A run that did not reach the load says nothing about it; quick ones are too short to tell.
      ...(stage.isQuick ? {} : { atLeast: 20_000 }),
    },
  ];
};

const toPerCore = ({ events, cpuSeconds }: Round): number => events / cpuSeconds;

const describe = (round: Round): string =>
  `${Math.round(round.events / round.seconds)} events/s, ${Math.round(toPerCore(round))} per core-second`;

export const many: Benchmark = {
  name: 'many',
  question: '10,000 channels with one socket each, 25,000 events/s spread over them through JetStream',
  run,
};

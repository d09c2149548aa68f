// How many deliveries does a core of the gateway make on one hot channel, and how does that compare with uWS publish?
// Both sides send as fast as their slowest socket takes it, in turns.
import type { Benchmark, Stage } from './benchmark.ts';
import { nowMs, until, wait } from './clock.ts';
import type { Gateway } from './gateway.ts';
import { faultsOf, type LoadClients } from './load-clients.ts';
import { median, sumOf } from './median.ts';
import { channelOf, createOperators, createOrders, createSilent } from './population.ts';
import { startCpuClock } from './process-stats.ts';
import type { Publisher } from './publisher.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const ROUNDS = 3;
/** Events that the publisher may be ahead of the slowest socket: enough to keep every stage busy. */
const WINDOW = 4_000;
const WATCH_MS = 5;
/** Events between two turns of the raw server's loop, where uWS drains its topic; the best of 8 to 256 here, give or take. */
const RAW_BURST = 128;

interface Round {
  readonly deliveries: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

const run = async (stage: Stage) => {
  const sockets = stage.size(500, 50);
  const durationMs = stage.size(5_000, 1_000);
  const issuer = createSharedSecretIssuer();
  const [hot] = createOrders(1);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, [hot!], { payloadBytes: PAYLOAD_BYTES });
  const gateway = await stage.gateway(nats, issuer.settings);
  const raw = stage.rawServer();
  const rawPort = await raw.call('listen', { payloadBytes: PAYLOAD_BYTES });
  const clients = stage.clients();
  const channel = channelOf(hot!);
  await clients.open({
    set: 'gateway',
    server: gateway,
    goal: 'live',
    payloadBytes: PAYLOAD_BYTES,
    plans: await createOperators(issuer, sockets, () => [{ channel, first: 'none', next: 0 }]),
  });
  await clients.open({
    set: 'raw',
    server: { host: '127.0.0.1', port: rawPort },
    goal: 'upgraded',
    payloadBytes: PAYLOAD_BYTES,
    plans: createSilent(sockets),
  });

  const throughGateway = async (ms: number): Promise<Round> => gatewayRound(gateway, publisher, clients, ms);
  const throughRaw = async (ms: number): Promise<Round> => {
    const before = (await clients.counts('raw')).events;
    const { events, seconds, cpuSeconds } = await raw.call('publish', { durationMs: ms, burst: RAW_BURST });
    const expected = before + events * sockets;
    await until('the raw server delivered all', 10_000, async () => (await clients.counts('raw')).events >= expected);
    return { deliveries: events * sockets, seconds, cpuSeconds };
  };

  await throughGateway(1_500);
  await throughRaw(1_000);
  const gatewayRounds: Round[] = [];
  const rawRounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    rawRounds.push(await throughRaw(durationMs / 2));
    gatewayRounds.push(await throughGateway(durationMs));
    stage.log(`round ${i + 1}: gateway ${describe(gatewayRounds[i]!)}, raw ${describe(rawRounds[i]!)}`);
  }
  for (const set of ['gateway', 'raw']) {
    const faults = faultsOf(await clients.counts(set));
    if (faults) throw new Error(`${set}: ${faults}`);
  }

  const perCore = median(gatewayRounds.map(toPerCore));
  const rawPerCore = median(rawRounds.map(toPerCore));
  const counts = await clients.counts('gateway');
  return [
    {
      name: 'deliveriesPerCoreSecond',
      what: `deliveries per core-second, ${sockets} sockets`,
      value: perCore,
      atLeast: 5_000_000,
    },
    { name: 'vsRawUws', what: 'times uWS publish of single frames', value: perCore / rawPerCore, atLeast: 1.3 },
    { name: 'rawDeliveriesPerCoreSecond', what: 'uWS publish, per core-second', value: rawPerCore },
    {
      name: 'deliveriesPerSecond',
      what: 'deliveries per second on this machine',
      value: sumOf(gatewayRounds, ({ deliveries }) => deliveries) / sumOf(gatewayRounds, ({ seconds }) => seconds),
    },
    { name: 'eventsPerMessage', what: 'events per WebSocket message', value: counts.events / counts.messages },
  ];
};

/** From the first publish until the last socket has the last event. */
const gatewayRound = async (
  gateway: Gateway,
  publisher: Publisher,
  clients: LoadClients,
  durationMs: number,
): Promise<Round> => {
  const before = (await clients.counts('gateway')).events;
  const startedMs = nowMs();
  const cpuSeconds = startCpuClock(gateway.pid);
  const published = publisher.publish({ isGated: true });
  const unwatch = await clients.watch('gateway', WATCH_MS, (slowest) => {
    void publisher.allow(slowest + WINDOW);
  });
  await publisher.allow((await publisher.published()) + WINDOW);
  await wait(durationMs);
  await publisher.finish();
  await published;
  await unwatch();
  const total = await publisher.published();
  await until('every socket has every event', 20_000, async () => (await clients.slowest('gateway')) >= total);
  const { events } = await clients.counts('gateway');
  return { deliveries: events - before, seconds: (nowMs() - startedMs) / 1_000, cpuSeconds: cpuSeconds() };
};

const toPerCore = ({ deliveries, cpuSeconds }: Round): number => deliveries / cpuSeconds;

const describe = (round: Round): string =>
  `${(round.deliveries / round.seconds / 1e6).toFixed(2)} M/s, ${(toPerCore(round) / 1e6).toFixed(2)} M per core-second`;

export const fanout: Benchmark = {
  name: 'fanout',
  question: 'one hot channel, 500 sockets, 150-byte events, as fast as it goes',
  run,
};

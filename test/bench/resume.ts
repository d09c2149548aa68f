// How fast does everybody come back to a pod that was started after they dropped? The same clients connect to such a
// pod twice: once with nothing to resume (`vsConnectOnly`), once with events missed.
import type { Benchmark, Stage } from './benchmark.ts';
import { startCpuClock } from './process-stats.ts';
import { faultsOf, type LoadClients } from './load-clients.ts';
import { until } from './clock.ts';
import type { Counts, SocketPlan, SubscriptionPlan } from './load-socket.ts';
import type { Nats } from './nats.ts';
import { channelOf, createOperators, createOrders } from './population.ts';
import { createSharedSecretIssuer } from './tokens.ts';
import type { Figure } from './report.ts';

const PAYLOAD_BYTES = 150;
const CLIENTS_PER_CHANNEL = 10;
/** Events that everybody has seen before it drops: both types, so that positions are those of real events. */
const SEEN = 2;

interface Sizes {
  readonly missed: number;
  readonly maxSeconds: number;
  readonly maxVsConnectOnly?: number;
  readonly maxNatsCpuSeconds?: number;
}

interface Return {
  readonly seconds: number;
  readonly gatewayCpuSeconds: number;
  readonly natsCpuSeconds: number;
  readonly fromTail: number;
  readonly fromCold: number;
  readonly counts: Counts;
}

const run = async (
  stage: Stage,
  { missed, maxSeconds, maxVsConnectOnly, maxNatsCpuSeconds }: Sizes,
): Promise<Figure[]> => {
  const channels = stage.size(1_000, 50);
  const issuer = createSharedSecretIssuer();
  const orders = createOrders(channels);
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, orders, { payloadBytes: PAYLOAD_BYTES });
  const clients = stage.clients();
  const users = await createOperators(issuer, channels * CLIENTS_PER_CHANNEL, (i) => [
    { channel: channelOf(orders[i % channels]!), first: 'none', next: 0 },
  ]);

  const first = await stage.gateway(nats, issuer.settings);
  await clients.open({ set: 'before', server: first, goal: 'live', plans: users, payloadBytes: PAYLOAD_BYTES });
  await publisher.publish({ count: channels * SEEN });
  await until('everybody has seen the first events', 20_000, async () => (await clients.slowest('before')) === SEEN);
  const faults = faultsOf(await clients.counts('before'));
  if (faults) throw new Error(`before they dropped: ${faults}`);
  const positions = await clients.plans('before');
  await clients.drop('before');
  await first.stop();

  const comeBack = async (set: string, next: number): Promise<Return> =>
    measureReturn(stage, nats, clients, {
      set,
      settings: issuer.settings,
      plans: withPositions(users, positions, next),
    });
  const nothing = await comeBack('nothing to resume', SEEN);
  await publisher.publish({ count: channels * missed });
  const something = await comeBack('resume', SEEN + missed);

  const { seconds, counts } = something;
  const expected = users.length * missed;
  return [
    {
      name: 'seconds',
      what: `seconds until ${users.length} clients have ${missed} missed events each`,
      value: seconds,
      atMost: maxSeconds,
    },
    {
      name: 'vsConnectOnly',
      what: 'times the same with nothing to resume',
      value: seconds / nothing.seconds,
      ...(maxVsConnectOnly !== undefined && { atMost: maxVsConnectOnly }),
    },
    { name: 'connectOnlySeconds', what: 'seconds with nothing to resume', value: nothing.seconds },
    { name: 'gatewayCpuSeconds', what: 'core-seconds of the gateway', value: something.gatewayCpuSeconds },
    {
      name: 'connectOnlyGatewayCpuSeconds',
      what: 'core-seconds of the gateway with nothing to resume',
      value: nothing.gatewayCpuSeconds,
    },
    {
      name: 'natsCpuSeconds',
      what: 'core-seconds of nats-server',
      value: something.natsCpuSeconds,
      ...(maxNatsCpuSeconds !== undefined && { atMost: maxNatsCpuSeconds }),
    },
    { name: 'events', what: 'events delivered', value: counts.events },
    { name: 'fromTail', what: 'of them from the tail', value: something.fromTail },
    { name: 'fromCold', what: 'of them cold', value: something.fromCold },
    {
      name: 'lost',
      what: 'lost',
      value: counts.lost + Math.max(0, expected - counts.events),
      atMost: 0,
    },
    { name: 'duplicated', what: 'duplicated', value: counts.duplicated, atMost: 0 },
  ];
};

/** Starts a pod, lets everybody connect to it, and ends it again. */
const measureReturn = async (
  stage: Stage,
  nats: Nats,
  clients: LoadClients,
  { set, settings, plans }: { set: string; settings: Readonly<Record<string, string>>; plans: readonly SocketPlan[] },
): Promise<Return> => {
  const gateway = await stage.gateway(nats, settings);
  await clients.prepare({ set, server: gateway, goal: 'caught up', plans, payloadBytes: PAYLOAD_BYTES });
  const gatewayClock = startCpuClock(gateway.pid);
  const natsClock = startCpuClock(nats.pid);
  const { seconds, firstConnectMs, lastUpgradedMs } = await clients.start(set);
  const gatewayCpuSeconds = gatewayClock();
  const natsCpuSeconds = natsClock();
  // Whatever still comes now is one too many: give it the time to show up.
  await until(
    'the gateway has nothing left to send',
    5_000,
    async () => (await gateway.metric('sluice_subscriptions_behind')) === 0,
  );
  const counts = await clients.counts(set);
  const faults = faultsOf({ ...counts, lost: 0, duplicated: 0 });
  if (faults) throw new Error(`${set}: ${faults}`);
  const fromTail = await gateway.metric('sluice_catch_up_events_total', 'source="tail"');
  const fromCold = await gateway.metric('sluice_catch_up_events_total', 'source="cold"');
  const connecting = (lastUpgradedMs - firstConnectMs) / 1_000;
  stage.log(`${set}: ${seconds.toFixed(2)} s, all upgraded after ${connecting.toFixed(2)} s`);
  stage.log(`core-seconds: gateway ${gatewayCpuSeconds.toFixed(2)}, nats-server ${natsCpuSeconds.toFixed(2)}`);
  await clients.drop(set);
  await gateway.stop();
  return { seconds, gatewayCpuSeconds, natsCpuSeconds, fromTail, fromCold, counts };
};

const withPositions = (
  users: readonly SocketPlan[],
  positions: readonly SubscriptionPlan[][],
  until: number,
): SocketPlan[] =>
  users.map((user, i) => ({
    ...user,
    subscriptions: positions[i]!.map((subscription) => ({ ...subscription, until })),
  }));

export const resume: Benchmark = {
  name: 'resume',
  question: '10,000 clients on 1,000 channels come back to a new pod, 10 events missed each',
  run: (stage) => run(stage, { missed: 10, maxSeconds: 2.5, maxVsConnectOnly: 1.6, maxNatsCpuSeconds: 0.3 }),
};

export const resumeDeep: Benchmark = {
  name: 'resume-deep',
  question: 'the same with 100 events missed each: a million deliveries',
  run: (stage) => run(stage, { missed: 100, maxSeconds: 4 }),
};

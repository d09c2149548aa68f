// What memory does a connection take while nothing happens? The slope between a few and many of them, so that what the
// process takes anyway (code, tail, buffers) does not count.
import type { Benchmark, Stage } from './benchmark.ts';
import { nowMs, wait } from './clock.ts';
import { faultsOf } from './load-clients.ts';
import type { SubscriptionPlan } from './load-socket.ts';
import { createOperators } from './population.ts';
import { residentBytesOf } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const SHARED_BY = 100;
/** How long memory may take to settle after connecting; V8 gives pages back when it is left alone. */
const SETTLE_MS = 12_000;

const run = async (stage: Stage) => {
  const few = stage.size(1_000, 100);
  const more = stage.size(15_000, 400);
  const issuer = createSharedSecretIssuer();
  const nats = await stage.nats();
  const gateway = await stage.gateway(nats, issuer.settings);
  const clients = stage.clients();
  const plans = await createOperators(issuer, few + more, subscriptionsOf);

  const settled = async (): Promise<number> => {
    let lowest = Number.POSITIVE_INFINITY;
    for (const deadline = nowMs() + stage.size(SETTLE_MS, 1_000); nowMs() < deadline; await wait(500)) {
      lowest = Math.min(lowest, residentBytesOf(gateway.pid));
    }
    return lowest;
  };
  const openAll = async (set: string, from: number, to: number): Promise<number> => {
    await clients.open({ set, server: gateway, goal: 'live', plans: plans.slice(from, to), payloadBytes: 0 });
    const bytes = await settled();
    const faults = faultsOf(await clients.counts(set));
    if (faults) throw new Error(faults);
    stage.log(`${to} connections: ${(bytes / 1e6).toFixed(1)} MB`);
    return bytes;
  };

  // Open and closed once before: code compiled and heaps grown by the first connects are not theirs.
  await openAll('warm-up', 0, few);
  await clients.drop('warm-up');
  const bytesOfFew = await openAll('few', 0, few);
  const bytesOfAll = await openAll('more', few, few + more);

  return [
    {
      name: 'bytesPerConnection',
      what: `bytes per idle connection, ${few} to ${few + more} with three subscriptions each`,
      value: (bytesOfAll - bytesOfFew) / more,
      atMost: 5_120,
    },
    { name: 'residentBytes', what: 'resident bytes with all of them', value: bytesOfAll },
  ];
};

const subscriptionsOf = (index: number): SubscriptionPlan[] => {
  const group = Math.floor(index / SHARED_BY);
  return [`order:o-${index}`, `order:shared-${group}`, `order:other-${group}`].map((channel) => ({
    channel,
    first: 'none',
  }));
};

export const idle: Benchmark = {
  name: 'idle',
  question: 'memory of an idle connection with a channel of its own and two shared by a hundred',
  run,
};

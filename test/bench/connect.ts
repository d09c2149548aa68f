// What does an authenticated connect cost: TCP, upgrade, hello with an ES256 token, welcome?
import type { Benchmark, Stage } from './benchmark.ts';
import { faultsOf } from './load-clients.ts';
import { median, sumOf } from './median.ts';
import { createOperators } from './population.ts';
import { startCpuClock } from './process-stats.ts';
import { createKeyPairIssuer } from './tokens.ts';

const ROUNDS = 3;

const run = async (stage: Stage) => {
  const sockets = stage.size(5_000, 300);
  const issuer = await createKeyPairIssuer();
  const nats = await stage.nats();
  const gateway = await stage.gateway(nats, issuer.settings);
  const clients = stage.clients();
  const plans = await createOperators(issuer, sockets, () => []);

  const rounds: { seconds: number; cpuSeconds: number }[] = [];
  // The first one warms up both sides.
  for (let i = 0; i <= ROUNDS; i++) {
    const set = `round ${i}`;
    await clients.prepare({ set, server: gateway, plans, goal: 'welcomed', payloadBytes: 0 });
    const cpuSeconds = startCpuClock(gateway.pid);
    const { seconds } = await clients.start(set);
    const round = { seconds, cpuSeconds: cpuSeconds() };
    const faults = faultsOf(await clients.counts(set));
    if (faults) throw new Error(faults);
    await clients.drop(set);
    stage.log(`${set}: ${sockets} in ${seconds.toFixed(2)} s, ${round.cpuSeconds.toFixed(2)} core-seconds`);
    if (i > 0) rounds.push(round);
  }

  return [
    {
      name: 'perCoreSecond',
      what: 'connects with an ES256 token per core-second',
      value: median(rounds.map(({ cpuSeconds }) => sockets / cpuSeconds)),
      atLeast: 4_000,
    },
    {
      name: 'perSecond',
      what: 'connects per second on this machine',
      value: (sockets * ROUNDS) / sumOf(rounds, ({ seconds }) => seconds),
    },
  ];
};

export const connect: Benchmark = {
  name: 'connect',
  question: 'authenticated connects with ES256 tokens',
  run,
};

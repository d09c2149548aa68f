// What does it cost to take a backlog into the tail, with nobody watching? CPU time of the gateway from its start until
// it is ready, less what the same gateway takes to start on empty streams.
import type { Benchmark, Stage } from './benchmark.ts';
import { median } from './median.ts';
import { createOrders } from './population.ts';
import { cpuSecondsOf } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const ROUNDS = 3;
/** So that the whole backlog fits: by default the tail takes 60 s and 64 MB. */
const TAIL = { SLUICE_TAIL_SECONDS: '3600', SLUICE_TAIL_MAX_BYTES: String(1_024 ** 3) };

const run = async (stage: Stage) => {
  const backlog = stage.size(500_000, 20_000);
  const settings = { ...createSharedSecretIssuer().settings, ...TAIL };
  const nats = await stage.nats();
  const start = async (): Promise<{ cpuSeconds: number; events: number }> => {
    const gateway = await stage.gateway(nats, settings);
    const cpuSeconds = cpuSecondsOf(gateway.pid);
    const events = await gateway.metric('sluice_tail_events', 'ORDER');
    await gateway.stop();
    return { cpuSeconds, events };
  };

  const idle: number[] = [];
  for (let i = 0; i < ROUNDS; i++) idle.push((await start()).cpuSeconds);
  const publisher = await stage.publisher(nats, createOrders(1_000), { payloadBytes: PAYLOAD_BYTES });
  const published = await publisher.publish({ count: backlog });
  stage.log(`${backlog} events stored in ${published.seconds.toFixed(1)} s`);
  const full: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const { cpuSeconds, events } = await start();
    if (events !== backlog) throw new Error(`the tail has ${events} of ${backlog} events`);
    stage.log(`round ${i + 1}: ${cpuSeconds} s with the backlog, ${idle[i]} s without`);
    full.push(cpuSeconds);
  }

  const boot = median(idle);
  return [
    {
      name: 'eventsPerCoreSecond',
      what: `events per core-second, ${backlog} at once`,
      value: backlog / (median(full) - boot),
      atLeast: 200_000,
    },
    {
      name: 'eventsPerCoreSecondWithStart',
      what: 'the same, the start of the process included',
      value: backlog / median(full),
    },
    { name: 'startCpuSeconds', what: 'core-seconds to start on empty streams', value: boot },
  ];
};

export const ingest: Benchmark = {
  name: 'ingest',
  question: 'a backlog of 500,000 events into the tail, no clients',
  run,
};

// What does conflation save on a channel of many keys that change often? The same load through two gateways: one whose
// catalogue conflates its types, one whose catalogue does not.
import { fileURLToPath } from 'node:url';
import type { Benchmark, Stage } from './benchmark.ts';
import { BOARD, EVERY_MS } from './board.ts';
import { until, wait } from './clock.ts';
import type { Gateway } from './gateway.ts';
import { faultsOf } from './load-clients.ts';
import { TYPES } from './load-event.ts';
import { createOperators, createOrders } from './population.ts';
import { startCpuClock } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const PAYLOAD_BYTES = 150;
const RATE_PER_SECOND = 4_000;

interface Side {
  /** Per socket and second. */
  readonly events: number;
  readonly bytes: number;
  /** Of a core, while the load lasted. */
  readonly cpuShare: number;
}

const run = async (stage: Stage) => {
  const sockets = stage.size(500, 50);
  const keys = stage.size(100, 20);
  const durationMs = stage.size(10_000, 3_000);
  const issuer = createSharedSecretIssuer();
  const nats = await stage.nats();
  const publisher = await stage.publisher(nats, createOrders(keys / TYPES.length), { payloadBytes: PAYLOAD_BYTES });
  const clients = stage.clients();
  const plans = await createOperators(issuer, sockets, () => [{ channel: BOARD, first: 'none' }]);
  const open = async (set: string): Promise<Gateway> => {
    const module = fileURLToPath(new URL(`board-${set}.js`, import.meta.url));
    const gateway = await stage.gateway(nats, { ...issuer.settings, SLUICE_CATALOGUE: module });
    await clients.open({ set, server: gateway, goal: 'live', payloadBytes: PAYLOAD_BYTES, plans });
    return gateway;
  };
  /** The last ones may be held for an interval; then nothing is missing that was handed to the sockets. */
  const settle = async (set: string): Promise<void> => {
    let quiet = 0;
    let last = -1;
    await until('nothing comes any more', 20_000, async () => {
      const { events } = await clients.counts(set);
      quiet = events === last ? quiet + 1 : 0;
      last = events;
      await wait(EVERY_MS / 2);
      return quiet >= 3;
    });
  };
  const measure = async (set: string): Promise<Side> => {
    const gateway = await open(set);
    const publish = (ms: number) =>
      publisher.publish({ ratePerSecond: RATE_PER_SECOND, count: (RATE_PER_SECOND * ms) / 1_000 });
    await publish(durationMs / 5);
    await settle(set);
    const before = await clients.counts(set);
    const delivered = await gateway.metric('sluice_events_delivered_total');
    const cpuSeconds = startCpuClock(gateway.pid);
    const { seconds } = await publish(durationMs);
    const cpu = cpuSeconds();
    const read = await gateway.metric('sluice_events_read_total');
    await settle(set);
    const after = await clients.counts(set);
    const sent = (await gateway.metric('sluice_events_delivered_total')) - delivered;
    if (after.events - before.events < sent * 0.99) throw new Error(`${set}: ${after.events} of ${sent} arrived`);
    // Counters have gaps where events are left out, and subjects share them; order and connections do not.
    const faults = faultsOf({ ...after, lost: 0, duplicated: 0 });
    if (faults) throw new Error(`${set}: ${faults}`);
    await clients.drop(set);
    await gateway.stop();
    const perSocketSecond = sockets * seconds;
    const side = {
      events: (after.events - before.events) / perSocketSecond,
      bytes: (after.bytes - before.bytes) / perSocketSecond,
      cpuShare: cpu / seconds,
    };
    stage.log(
      `${set}: ${side.events.toFixed(0)} events and ${(side.bytes / 1_000).toFixed(1)} kB a second and socket, ` +
        `${side.cpuShare.toFixed(2)} of a core, ${read} read`,
    );
    return side;
  };

  const plain = await measure('plain');
  const conflated = await measure('conflated');
  return [
    { name: 'eventsPlain', what: 'events per second and socket, each sent', value: plain.events },
    {
      name: 'eventsConflated',
      what: `events per second and socket, ${keys} keys every ${EVERY_MS} ms`,
      value: conflated.events,
      // One flush belongs to the time after the load.
      atMost: keys * 1.1 * (1_000 / EVERY_MS + 1_000 / durationMs),
    },
    { name: 'eventsSaved', what: 'share of events saved', value: 1 - conflated.events / plain.events },
    { name: 'bytesPlain', what: 'bytes per second and socket, each sent', value: plain.bytes },
    { name: 'bytesConflated', what: 'bytes per second and socket, conflated', value: conflated.bytes },
    { name: 'bytesSaved', what: 'share of bytes saved', value: 1 - conflated.bytes / plain.bytes },
    { name: 'cpuPlain', what: 'of a core in the gateway, each sent', value: plain.cpuShare },
    { name: 'cpuConflated', what: 'of a core in the gateway, conflated', value: conflated.cpuShare },
  ];
};

export const conflate: Benchmark = {
  name: 'conflate',
  question: `one channel of 100 keys, ${RATE_PER_SECOND.toLocaleString('en-US')} events/s, 500 sockets, with and without conflation`,
  run,
};

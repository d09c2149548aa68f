// The log side of a pod in a cluster whose servers lose sight of each other: what an isolated server says looks healthy.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@sluice/gateway/clock';
import { type TailView, createCold } from '@sluice/gateway/log/cold';
import { connectToNats } from '@sluice/gateway/log/nats';
import { expect, test } from 'vitest';
import { consistently, eventually } from '../kit/eventually.ts';
import { startReader } from '../kit/log-recorder.ts';
import { type NatsCluster, startNatsCluster } from '../kit/nats-cluster.ts';
import type { NatsServer } from '../kit/nats-server.ts';
import { ORDER_STREAM, createOrderStreams, startSteadyLoad } from '../kit/order-events.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const at = (cluster: NatsCluster, address: string): NatsServer =>
  cluster.servers.find((server) => address.endsWith(`:${server.port}`))!;

test('a reader whose server is isolated, but sends healthy heartbeats, moves to another one', async () => {
  await using cluster = await startNatsCluster(3, { routeProxies: true });
  await using setUp = await cluster.connect();
  // Healthy servers may still call each other offline for a moment.
  await eventually(() => createOrderStreams(setUp, { replicas: 3 }).then(() => true), { timeoutMs: 30_000 });
  await using harness = await startReader(cluster.urls, ORDER_STREAM);
  const { recorder, reader, nats } = harness;
  const isolated = at(cluster, nats.live.server);
  await using connection = await cluster.connect({ servers: cluster.others(isolated).map((server) => server.url) });
  const load = startSteadyLoad(connection, {
    eventsPerSecond: 200,
    next: () => ({ type: 'order.status_changed' }),
  });
  await eventually(() => recorder.sequences.length > 100);

  cluster.isolate(isolated);

  await eventually(() => nats.live.server !== '' && at(cluster, nats.live.server) !== isolated, { timeoutMs: 60_000 });
  const before = recorder.sequences.length;
  await eventually(() => recorder.sequences.length > before + 400, { timeoutMs: 60_000 });
  const stored = await load.stop();
  const last = Math.max(...stored.map((event) => event.sequence));
  await eventually(() => (recorder.sequences.at(-1) ?? 0) >= last, { timeoutMs: 30_000 });
  await cluster.heal();

  expect(recorder.generations).toHaveLength(1);
  expect(recorder.breaches).toEqual([]);
  const { state } = await (await jetstreamManager(connection, { checkAPI: false })).streams.info(ORDER_STREAM);
  expect(recorder.sequences).toEqual(range(1, state.last_seq));
  expect(reader.status().state).toBe('reading');
});

test('a replica that is cut off is not believed, and is once it has caught up', async () => {
  await using cluster = await startNatsCluster(3, { routeProxies: true });
  await using setUp = await cluster.connect();
  // Healthy servers may still call each other offline for a moment.
  await eventually(() => createOrderStreams(setUp, { replicas: 3 }).then(() => true), { timeoutMs: 30_000 });
  const leader = await cluster.waitForLeader(ORDER_STREAM);
  const [lagging] = cluster.others(leader);
  await using connection = await leader.connect();
  const publish = async (count: number): Promise<void> => {
    const client = jetstream(connection, { timeout: 10_000 });
    for (let index = 0; index < count; index += 1) await client.publish(`order.m.u.o-${index % 4}.created`, 'x');
  };
  await publish(100);
  const nats = await connectToNats({
    servers: [lagging!.url],
    name: 'lagging',
    clock: systemClock,
    connectTimeoutMs: 10_000,
  });
  const cold = createCold({ nats, clock: systemClock, readsPerStream: 4, maxBytes: 1024 * 1024 });
  const request = (tail: TailView) => ({
    stream: ORDER_STREAM,
    filters,
    after: 0,
    tail,
    maxEvents: 256,
    maxBytes: 1e6,
  });
  const filters = ['order.*.*.o-1.*'];
  const tailFrom = (firstSequence: number, match?: { sequence: number; timeMs: number }): TailView => ({
    firstSequence,
    head: 150,
    firstMatch: () => match,
  });
  await eventually(async () => (await cold.read(request(tailFrom(95)))).kind === 'page');

  cluster.isolate(lagging!, 'silent');
  await publish(50);
  // The check would ask the leader of the cluster, which may have been the one that is cut off.
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const stored = await manager.streams.getMessage(ORDER_STREAM, { seq: 142 });
  const tails = [tailFrom(141), tailFrom(141, { sequence: 142, timeMs: stored!.time.getTime() })];

  // It holds 25 of the 35 events before the tail and ends its answers cleanly.
  for (const tail of tails) {
    await consistently(async () => (await cold.read(request(tail))).kind !== 'page', { forMs: 500 });
  }
  await cluster.heal();
  await eventually(
    async () => {
      const page = await cold.read(request(tails[1]!));
      return page.kind === 'page' && page.events.filter((event) => event.sequence < 141).length === 35;
    },
    { timeoutMs: 60_000 },
  );
  cold.close();
  await nats.close();
});

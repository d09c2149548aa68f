// The pod's server loses its way to the rest of the cluster, while the pod's connection to it stays up. Nothing is healed
// before everybody has everything: the pod must find its way out by itself. (Only the truth is read afterwards: a plain
// consumer would end on the torn server as well.)
import { jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { test as base } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import type { Gateway } from '../kit/gateway.ts';
import type { NatsServer } from '../kit/nats-server.ts';
import { ORDER_STREAM, startSteadyLoad } from '../kit/order-events.ts';

interface Pod {
  gateway: Gateway;
  /** Cuts the pod's connections; it comes back to the same server. */
  reconnect(): Promise<void>;
}

const test = base.extend<{ startPodOn: (server: NatsServer) => Promise<Pod> }>({
  /** A pod that is connected to this server, and knows the others as well. */
  startPodOn: async ({ cluster, startPod }, use) => {
    const proxies = new Map<NatsServer, FaultProxy>();
    for (const server of cluster.servers) proxies.set(server, await FaultProxy.start({ port: server.port }));
    await use(async (home) => {
      const others = [...proxies].filter(([server]) => server !== home).map(([, proxy]) => proxy);
      const atHome = async (): Promise<void> => {
        await eventually(() => proxies.get(home)!.stats().open === 2, { what: 'both connections at home' });
        for (const proxy of others) proxy.accept();
      };
      for (const proxy of others) proxy.refuse();
      const natsUrl = [...proxies.values()].map((proxy) => `nats://127.0.0.1:${proxy.port}`).join(',');
      const gateway = await startPod({ natsUrl });
      await atHome();
      const reconnect = async (): Promise<void> => {
        for (const proxy of others) proxy.refuse();
        proxies.get(home)!.cut();
        await atHome();
      };
      return { gateway, reconnect };
    });
    for (const proxy of proxies.values()) await proxy.close();
  },
});

test('routes between the pod and the stream leader are cut: the pod gets everything all the same', async ({
  cluster,
  connection,
  startPodOn,
  openClientAt,
}) => {
  const leader = await cluster.waitForLeader(ORDER_STREAM);
  const [home, third] = cluster.others(leader);
  const { gateway } = await startPodOn(home!);
  const audience = await Audience.open((options) => openClientAt(gateway, options));
  await using publisher = await third!.connect();
  const load = startSteadyLoad(publisher, { eventsPerSecond: 300, next: mixedEvent });
  await eventually(() => load.stored.length > 100);

  cluster.cutRoutes(home!, leader);

  const before = load.stored.length;
  await eventually(() => load.stored.length > before + 500, { timeoutMs: 60_000 });
  const stored = await load.stop();
  await audience.hasSeenMark(stored.length - 50, 60_000);
  await cluster.heal();
  await cluster.waitUntilHealthy();
  await audience.expectComplete(connection, {}, 60_000, stored);
  expect(audience.resets()).toEqual([[], [], [], []]);
});

test('the server of the pod and its consumer is cut off from the cluster: the pod moves to another one', async ({
  cluster,
  connection,
  startPodOn,
  openClientAt,
}) => {
  const home = cluster.servers[0]!;
  const { gateway, reconnect } = await startPodOn(home);
  const audience = await Audience.open((options) => openClientAt(gateway, options));
  await using publisher = await cluster.servers[1]!.connect();
  // The consumer lives on any of the three: recreate it until its heartbeats will go on without the cluster.
  const manager = await jetstreamManager(publisher);
  await eventually(
    async () => {
      const consumers = await manager.consumers.list(ORDER_STREAM).next();
      const bound = consumers.filter(({ push_bound: isBound }) => isBound);
      if (bound.length === 1 && bound[0]!.cluster?.leader === home.name) return true;
      await reconnect();
      return false;
    },
    { timeoutMs: 60_000, intervalMs: 1_000, what: 'the consumer on the server of the pod' },
  );
  await gateway.waitUntilReady();
  const load = startSteadyLoad(publisher, { eventsPerSecond: 300, next: mixedEvent });
  await eventually(() => load.stored.length > 100);

  cluster.isolate(home, 'silent');

  const before = load.stored.length;
  await eventually(() => load.stored.length > before + 500, { timeoutMs: 60_000 });
  const stored = await load.stop();
  await audience.hasSeenMark(stored.length - 50, 60_000);
  await cluster.heal();
  await cluster.waitUntilHealthy();
  await audience.expectComplete(connection, {}, 60_000, stored);
  expect(audience.resets()).toEqual([[], [], [], []]);
  expect(gateway.logRecords()).toContainEqual(expect.objectContaining({ msg: 'nats', kind: 'moving' }));
});

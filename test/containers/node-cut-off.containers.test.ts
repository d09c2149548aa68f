// A cluster of containers on a network of their own, and a node that loses it: the one that serves the gateway and
// leads the stream. Unlike a killed one it goes on for itself, and comes back with what it knew.
import { jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { test } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { ORDER_STREAM, createOrderStreams, startSteadyLoad } from '../kit/order-events.ts';
import { ContainerCluster } from './container-cluster.ts';
import { connectTo, gatewayOptions } from './nats-container.ts';

const ELECTION_TIMEOUT_MS = 30_000;

test('the node of the gateway and of the stream leader is cut off: clients get everything', async ({
  startPod,
  openClientAt,
}) => {
  await using cluster = await ContainerCluster.start(3);
  await using connection = await connectTo(cluster.nodes);
  // A meta leader that was just elected may not know all its peers yet. Creating is idempotent.
  await eventually(() => createOrderStreams(connection, { replicas: 3 }).then(() => true), {
    timeoutMs: ELECTION_TIMEOUT_MS,
    what: 'the order streams',
  });
  await cluster.waitUntilHealthy();
  const gateway = await startPod(gatewayOptions(cluster.nodes));
  const audience = await Audience.open((options) => openClientAt(gateway, options));
  const home = await eventually(() => cluster.nodeOf('sluice-gateway live'), { what: 'the node of the gateway' });
  const { streams } = await jetstreamManager(connection);
  await eventually(
    async () => {
      if ((await streams.info(ORDER_STREAM)).cluster?.leader === home) return true;
      const wish = JSON.stringify({ placement: { preferred: home } });
      await connection.request(`$JS.API.STREAM.LEADER.STEPDOWN.${ORDER_STREAM}`, wish);
      return false;
    },
    { timeoutMs: ELECTION_TIMEOUT_MS, intervalMs: 500, what: `${home} to lead the stream` },
  );
  await using publisher = await connectTo(cluster.others(home));
  const load = startSteadyLoad(publisher, { eventsPerSecond: 300, next: mixedEvent });
  await eventually(() => load.stored.length > 300);

  await cluster.cutOff(home);

  const before = load.stored.length;
  await eventually(() => load.stored.length > before + 300, { timeoutMs: ELECTION_TIMEOUT_MS });
  await audience.hasSeenMark(before + 200);

  await cluster.heal(home);

  await cluster.waitUntilHealthy();
  const healed = load.stored.length;
  await eventually(() => load.stored.length > healed + 300, { timeoutMs: ELECTION_TIMEOUT_MS });
  await load.stop();
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
  expect(gateway.logRecords()).toContainEqual(expect.objectContaining({ msg: 'nats', kind: 'disconnected' }));
});

// A three-node cluster loses the leader of a stream, and the server that holds the pod's consumer, under load (I1, I2).
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { test } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import type { NatsCluster } from '../kit/nats-cluster.ts';
import type { NatsServer } from '../kit/nats-server.ts';
import { ORDER_STREAM, startSteadyLoad } from '../kit/order-events.ts';

const consumerHolder = async (cluster: NatsCluster): Promise<NatsServer> =>
  await eventually(
    async () => {
      const names = (await cluster.consumerNames(ORDER_STREAM)).filter((name) => name.startsWith('sluice-'));
      const holders = await Promise.all(names.map((name) => cluster.consumerServer(ORDER_STREAM, name)));
      return holders.find((holder) => holder !== undefined);
    },
    { timeoutMs: 30_000, intervalMs: 200, what: 'the server of the consumer' },
  );

test('the stream leader is killed, then the server of the consumer: every event arrives once and in order', async ({
  cluster,
  connection,
  startPod,
  openClientAt,
}) => {
  const gateway = await startPod({ natsUrl: cluster.url });
  const audience = await Audience.open((options) => openClientAt(gateway, options));
  const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
  const storedMore = async (count: number): Promise<void> => {
    const before = load.stored.length;
    await eventually(() => load.stored.length >= before + count, { timeoutMs: 60_000, what: `${count} more events` });
  };
  await storedMore(200);

  const leader = await cluster.waitForLeader(ORDER_STREAM);
  await leader.kill();
  await storedMore(400);
  await leader.start();
  await cluster.waitUntilHealthy();
  const holder = await consumerHolder(cluster);
  await holder.kill();
  await storedMore(400);

  const stored = await load.stop();
  await audience.hasSeenMark(stored.length - 50, 60_000);
  await holder.start();
  await cluster.waitUntilHealthy();
  await audience.expectComplete(connection, {}, 60_000, stored);
  expect(audience.resets()).toEqual([[], [], [], []]);
});

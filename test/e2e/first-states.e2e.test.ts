// What a new subscriber is shown before what comes live, where a channel has more states than the server takes a snapshot
// of (1,024): a busy shop gets its open orders, and nobody is refused.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { FrameClient } from '../kit/frame-client.ts';
import { showOnFailure } from '../kit/fixtures.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import { orderPayload, orderSubject } from '../kit/order-events.ts';
import { serviceTest } from '../kit/services.ts';
import { customerToken, merchantToken } from '../kit/token.ts';

const ORDERS = 700;
const isOpen = (order: number): boolean => order % 100 === 1;

/** Each order is created and moved on, one after the other; one in a hundred is still being prepared. */
const placeOrders = async (connection: NatsConnection): Promise<void> => {
  const js = jetstream(connection, { timeout: 10_000 });
  for (let order = 1; order <= ORDERS; order++) {
    const ids = { orderId: `o-${order}` };
    const status = isOpen(order) ? 'preparing' : order % 2 === 0 ? 'delivered' : 'cancelled';
    const created = orderPayload('order.created', ids, order);
    const changed = { ...orderPayload('order.status_changed', ids, order), status };
    await Promise.all([
      js.publish(orderSubject('order.created', ids), JSON.stringify(created)),
      js.publish(orderSubject('order.status_changed', ids), JSON.stringify(changed)),
    ]);
  }
};

const test = serviceTest.extend<{ startPod: (env?: Record<string, string>) => Promise<Gateway> }>({
  startPod: async ({ nats, connection, task }, use) => {
    await placeOrders(connection);
    const pods: Gateway[] = [];
    await use(async (env) => {
      const pod = await startGateway({ natsUrl: nats.url, env: { SLUICE_CATALOGUE: 'rez', ...env } });
      pods.push(pod);
      return pod;
    });
    for (const pod of pods) {
      showOnFailure(task, 'gateway', pod.log());
      await pod[Symbol.asyncDispose]();
    }
  },
});

const firstOf = async (pod: Gateway, token: string, channel: string): Promise<string[]> => {
  using client = await FrameClient.open({ url: pod.url, token });
  await client.subscribeUntilLive(channel);
  expect(client.recorder.resets(channel)).toEqual([]);
  return client.recorder.events(channel).map(({ type, data }) => `${type} ${(data as { orderId: string }).orderId}`);
};

test('a shop begins with all that is open and nothing that has ended, from the tail or from JetStream', async ({
  startPod,
}) => {
  // Of 1,400 states the newest 1,024 are looked at: orders from 189 on.
  const open = Array.from({ length: ORDERS }, (_, i) => i + 1).filter((order) => order > 188 && isOpen(order));
  const expected = open.flatMap((order) => [`order.created o-${order}`, `order.status_changed o-${order}`]);
  for (const env of [{}, { SLUICE_TAIL_SECONDS: '0' }]) {
    const pod = await startPod(env);

    const first = await firstOf(pod, await merchantToken('m-1'), 'merchant:m-1');

    expect([...first].sort()).toEqual([...expected].sort());
  }
});

test('who has more states than are shown gets the newest of them', async ({ startPod }) => {
  const pod = await startPod();

  const first = await firstOf(pod, await customerToken('u-1'), 'user:u-1');

  expect(first).toHaveLength(200);
  expect(new Set(first).size).toBe(200);
  expect(first.every((name) => Number(name.split('o-')[1]) > ORDERS - 101)).toBe(true);
});

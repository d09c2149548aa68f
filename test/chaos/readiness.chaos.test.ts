// I8: ready means delivering. A short outage turns no pod red, a long one does, and sockets stay either way.
import { jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { Audience } from '../kit/audience.ts';
import { consistently, eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { PAYMENT_STREAM, createStream, publishOrderEvents } from '../kit/order-events.ts';

const RED_AFTER_MS = 3_000;
const test = base.override({ gatewayEnv: { SLUICE_READY_RED_AFTER_MS: String(RED_AFTER_MS) } });

const readinessOf = async (gateway: { operationsUrl: string }): Promise<{ status: number; body: string }> => {
  const response = await fetch(`${gateway.operationsUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
  return { status: response.status, body: await response.text() };
};

test('a pod that is cut off from NATS is red after the time that is set, not before, and green when it delivers again', async ({
  connection,
  natsProxy,
  gateway,
  openClient,
}) => {
  const audience = await Audience.open(openClient);

  natsProxy.partition();

  // A reader counts as silent 3 s after its last heartbeat, which may be a second old by now; then the time begins.
  const forMs = 3_000 - 1_000 + RED_AFTER_MS - 500;
  await consistently(() => gateway.isReady(), { forMs, intervalMs: 100, what: 'still ready' });
  await eventually(async () => !(await gateway.isReady()), { timeoutMs: 30_000, what: 'not ready' });
  expect(await readinessOf(gateway)).toMatchObject({
    status: 503,
    body: expect.stringContaining('reader_silent') as string,
  });
  expect((await fetch(`${gateway.operationsUrl}/livez`)).status).toBe(200);
  natsProxy.heal();
  await gateway.waitUntilReady();
  await publishOrderEvents(connection, 20, { orderId: 'o-1' });
  await audience.expectComplete(connection);
  expect(audience.seats.flatMap(({ client }) => client.states).filter((state) => state === 'connected')).toHaveLength(
    4,
  );
});

test('a pod whose nats-server is restarted stays green', async ({ nats, connection, gateway, openClient }) => {
  const audience = await Audience.open(openClient);
  const verdicts = new Set<boolean>();
  const watching = setInterval(() => void gateway.isReady().then((isReady) => verdicts.add(isReady)), 50);

  try {
    await nats.restart('kill');
    await eventually(() => connection.rtt());
    const [event] = await eventually(() => publishOrderEvents(connection, 1, { orderId: 'o-1' }), {
      timeoutMs: 30_000,
    });
    await audience.seats[0]!.client.has('order:o-1', event!);
  } finally {
    clearInterval(watching);
  }

  expect([...verdicts]).toEqual([true]);
});

test('a pod that a stream is taken from turns red, and green once it is there again', async ({
  connection,
  gateway,
  openClient,
}) => {
  const manager = await jetstreamManager(connection);
  const audience = await Audience.open(openClient);

  await manager.streams.delete(PAYMENT_STREAM);
  await eventually(async () => !(await gateway.isReady()), { timeoutMs: 30_000, what: 'not ready' });
  await createStream(connection, PAYMENT_STREAM, ['payment.>']);

  await gateway.waitUntilReady();
  await publishOrderEvents(connection, 6, { orderId: 'o-1', types: ['payment.confirmed', 'order.created'] });
  await audience.live();
  await audience.expectComplete(connection);
});

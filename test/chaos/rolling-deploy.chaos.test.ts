// A new version is rolled out: each pod in turn is told to go (SIGTERM) while another one serves. Clients move over by
// themselves, and nobody sees an error.
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { eventually } from '../kit/eventually.ts';
import type { Gateway } from '../kit/gateway.ts';
import { startSteadyLoad } from '../kit/order-events.ts';
import { RawClient, UpgradeRefused } from '../kit/raw-client.ts';
import { test as base } from '../kit/two-gateways.ts';

const test = base.override({ gatewayEnv: { SLUICE_DRAIN_WINDOW_MS: '1500' } });

const connectionsOf = async (gateway: Gateway): Promise<number> => (await gateway.metrics()).sum('sluice_connections');

/** What a new connection to a pod that goes away gets. */
const refusalOf = async (gateway: Gateway): Promise<unknown> =>
  await RawClient.connect(gateway.url, { subprotocol: 'sluice.v1.json' }).then(
    () => 'accepted',
    (error: unknown) => (error instanceof UpgradeRefused ? error.status : error),
  );

test('pods that are replaced one after the other lose nothing and repeat nothing', async ({
  connection,
  gateway,
  otherGateway,
  clientProxy,
  openClient,
}) => {
  const audience = await Audience.open(openClient);
  const clients = [...new Set(audience.seats.map(({ client }) => client))];
  const load = startSteadyLoad(connection, { eventsPerSecond: 400, next: mixedEvent });
  await eventually(() => load.stored.length > 100);

  // As a load balancer does: no new connections for the pod that goes.
  clientProxy.retarget({ port: otherGateway.port });
  const stopped = gateway.stop();
  await eventually(async () => !(await gateway.isReady()));
  const refusal = await refusalOf(gateway);
  const firstExit = await stopped;
  await eventually(async () => (await connectionsOf(otherGateway)) === clients.length);
  await audience.hasSeenMark(load.stored.length);

  await gateway.start();
  clientProxy.retarget({ port: gateway.port });
  const secondExit = await otherGateway.stop();
  await eventually(async () => (await connectionsOf(gateway)) === clients.length);
  await audience.hasSeenMark(load.stored.length);

  await load.stop();
  await audience.expectComplete(connection);
  expect(refusal).toBe(503);
  expect([firstExit, secondExit]).toEqual([
    { code: 0, signal: null },
    { code: 0, signal: null },
  ]);
  expect(audience.resets()).toEqual([[], [], [], []]);
  for (const { errors, states } of clients) {
    expect(errors).toEqual([]);
    expect(states.filter((state) => state === 'connected')).toHaveLength(3);
    expect(states).not.toContain('reconnecting');
  }
});

test('a pod does not wait for clients that stay: it closes them when its window is over', async ({
  connection,
  gateway,
  otherGateway,
  openFrames,
  clientProxy,
}) => {
  void connection;
  const stubborn = await openFrames();
  await stubborn.subscribeUntilLive('order:o-1');
  clientProxy.retarget({ port: otherGateway.port });

  const exit = gateway.stop();

  await expect(stubborn.next('drain')).resolves.toEqual({ kind: 'drain', withinMs: 1_500 });
  await expect(stubborn.raw.closed).resolves.toEqual({ code: 4000, reason: 'drain' });
  await expect(exit).resolves.toEqual({ code: 0, signal: null });
});

// The smallest suite on testcontainers: NATS in one container, the gateway in front of it.
import { expect } from 'vitest';
import { Audience, mixedEvent } from '../kit/audience.ts';
import { test } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { createOrderStreams, startSteadyLoad } from '../kit/order-events.ts';
import { freePort } from '../kit/ports.ts';
import { connectTo, gatewayOptions, natsContainer } from './nats-container.ts';

test('the NATS container is restarted: clients go on without a gap, a duplicate or a reset', async ({
  startPod,
  openClientAt,
}) => {
  await using nats = await natsContainer(await freePort()).start();
  await using connection = await connectTo([nats]);
  await createOrderStreams(connection);
  const gateway = await startPod(gatewayOptions([nats]));
  const audience = await Audience.open((options) => openClientAt(gateway, options));
  const load = startSteadyLoad(connection, { eventsPerSecond: 300, next: mixedEvent });
  await eventually(() => load.stored.length > 300);

  await nats.restart();

  const before = load.stored.length;
  await eventually(() => load.stored.length > before + 300, { timeoutMs: 20_000 });
  await load.stop();
  await audience.expectComplete(connection);
  expect(audience.resets()).toEqual([[], [], [], []]);
  expect(gateway.logRecords()).toContainEqual(expect.objectContaining({ msg: 'nats', kind: 'reconnected' }));
});

// I8: ready means delivering. The canary goes the way that every event goes, through a real stream.
import { jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { startGateway } from '../kit/gateway.ts';
import { createOrderStreams, createStream } from '../kit/order-events.ts';

test('a pod whose canary does not come back is not ready', async ({ nats, connection }) => {
  await createOrderStreams(connection);
  await createStream(connection, 'CANARY', ['sluice.>']);
  const env = { SLUICE_CANARY_STREAM: 'CANARY', SLUICE_READY_RED_AFTER_MS: '1000' };
  await using gateway = await startGateway({ natsUrl: nats.url, env });
  expect(await gateway.isReady()).toBe(true);
  const manager = await jetstreamManager(connection);
  await eventually(async () => (await manager.streams.info('CANARY')).state.messages > 0);

  // Every reader stays healthy, but what the pod publishes is stored no more.
  await manager.streams.update('CANARY', { subjects: ['elsewhere.>'] });

  await eventually(async () => !(await gateway.isReady()), { timeoutMs: 20_000 });
  const reasons = await (await fetch(`${gateway.operationsUrl}/readyz`)).text();
  expect(reasons).toContain('canary_missing');

  await manager.streams.update('CANARY', { subjects: ['sluice.>'] });
  await eventually(() => gateway.isReady(), { timeoutMs: 20_000 });
});

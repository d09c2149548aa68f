// Streams that must not be served: the gateway says everything that is wrong with all of them, creates no consumer and
// exits before it listens.
import { type JetStreamManager, RetentionPolicy, StorageType, jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { test } from '../kit/fixtures.ts';
import { runGatewayToExit } from '../kit/gateway.ts';
import { ORDER_STREAM, PAYMENT_STREAM } from '../kit/order-events.ts';
import { TEST_SECRET } from '../kit/token.ts';

interface Fault {
  stream: string;
  code: string;
}

/** The faults that a gateway at this address names on its way out. */
const faultsOf = async (natsUrl: string): Promise<{ exitCode: number | null; faults: string[]; listened: boolean }> => {
  const { exit, log } = await runGatewayToExit({
    SLUICE_NATS_URL: natsUrl,
    SLUICE_HOST: '127.0.0.1',
    SLUICE_PORT: '0',
    SLUICE_OPERATIONS_HOST: '127.0.0.1',
    SLUICE_OPERATIONS_PORT: '0',
    SLUICE_CATALOGUE: 'orders',
    SLUICE_TOKEN_SECRET: TEST_SECRET,
  });
  const records = log.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  const fatal = records.find(({ level }) => level === 'fatal');
  expect(fatal).toMatchObject({ code: 'streams_unfit' });
  const { faults } = fatal!['details'] as { faults: Fault[] };
  return {
    exitCode: exit.code,
    faults: faults.map(({ stream, code }) => `${stream} ${code}`).sort(),
    listened: records.some(({ msg }) => msg === 'listening'),
  };
};

const consumerCount = async (manager: JetStreamManager, stream: string): Promise<number> =>
  (await manager.streams.info(stream)).state.consumer_count;

const storage = StorageType.File;

test('an interest stream without direct gets, a work queue and too few consumers are all named at once', async ({
  nats,
}) => {
  await using connection = await nats.connect();
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: ORDER_STREAM,
    subjects: ['order.>', 'delivery.>'],
    storage,
    retention: RetentionPolicy.Interest,
    allow_direct: false,
  });
  await manager.streams.add({
    name: PAYMENT_STREAM,
    subjects: ['payment.>'],
    storage,
    retention: RetentionPolicy.Workqueue,
    allow_direct: true,
    max_consumers: 3,
  });

  expect(await faultsOf(nats.url)).toEqual({
    exitCode: 1,
    listened: false,
    faults: [
      'ORDER stream_no_direct',
      'ORDER stream_retention',
      'PAYMENT stream_max_consumers',
      'PAYMENT stream_retention',
    ],
  });
  expect(await consumerCount(manager, ORDER_STREAM)).toBe(0);
  expect(await consumerCount(manager, PAYMENT_STREAM)).toBe(0);
});

test('a stream that is missing and one that would store typing events are named as well', async ({ nats }) => {
  await using connection = await nats.connect();
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: ORDER_STREAM,
    subjects: ['order.>', 'delivery.>', 'eph.>'],
    storage,
    allow_direct: true,
  });

  expect(await faultsOf(nats.url)).toEqual({
    exitCode: 1,
    listened: false,
    faults: ['ORDER stream_stores_ephemeral', 'PAYMENT stream_missing'],
  });
  expect(await consumerCount(manager, ORDER_STREAM)).toBe(0);
});

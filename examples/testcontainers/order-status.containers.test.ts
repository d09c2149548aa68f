// What a team's own suite looks like: NATS in a container, the gateway inside the test's process, their publisher, and
// a phone. Copy it, put your catalogue in the place of `rez`, and say what your service promises.
import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectToNats } from '@nats-io/transport-node';
import { type PositionStore, connect, createMemoryPositions } from '@sluice/client';
import { createGateway, createLog, loadConfig, systemClock } from '@sluice/gateway';
import { type Publisher, applyStreams, createPublisher } from '@sluice/producers';
import { type RezEvents, mustCompileCatalogue, rez } from '@sluice/schemas';
import { NatsContainer, type StartedNatsContainer } from '@testcontainers/nats';
import { SignJWT } from 'jose';
import { RandomPortGenerator, Wait } from 'testcontainers';
import { test as base, expect } from 'vitest';

const IMAGE = process.env['SLUICE_TEST_NATS_IMAGE'] || 'nats:2.15.2';
const SECRET = 'only this test knows it, 32 bytes or more';
const ORDER = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-17' };

interface Fixtures {
  nats: StartedNatsContainer;
  publisher: Publisher<typeof rez>;
  gatewayUrl: string;
}

// Each ends with the test, whatever the test does: a fixture's end runs after a failure too.
const test = base.extend<Fixtures>({
  nats: async ({}, use) => {
    await using nats = await new NatsContainer(IMAGE)
      .withJetStream()
      // A random host port changes when a container is restarted; this one stays.
      .withExposedPorts({ container: 4222, host: await new RandomPortGenerator().generatePort() })
      // Not for the log, which is the default: a restart can miss the line of a server that is ready at once.
      .withArg('http_port', '8222')
      .withWaitStrategy(Wait.forHttp('/healthz', 8222))
      .withStartupTimeout(30_000)
      .start();
    await using connection = await connectToNats(nats.getConnectionOptions());
    await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(rez).streams);
    await use(nats);
  },

  publisher: async ({ nats }, use) => {
    await using connection = await connectToNats({ ...nats.getConnectionOptions(), maxReconnectAttempts: -1 });
    const publisher = await createPublisher({ catalogue: rez, connection });
    await use(publisher);
    await publisher.close();
  },

  gatewayUrl: async ({ nats }, use) => {
    const { servers, user = '', pass = '' } = nats.getConnectionOptions();
    const config = loadConfig({
      env: {
        SLUICE_NATS_URL: `nats://${String(servers)}`,
        SLUICE_NATS_USER: user,
        SLUICE_NATS_PASSWORD: pass,
        SLUICE_HOST: '127.0.0.1',
        SLUICE_PORT: '0',
        SLUICE_CATALOGUE: 'orders',
        SLUICE_OPERATIONS_PORT: '0',
        SLUICE_TOKEN_SECRET: SECRET,
        SLUICE_DRAIN_WINDOW_MS: '0',
      },
      readFile: () => '',
    });
    if (!config.ok) throw new Error('the gateway refuses its configuration', { cause: config.error });
    const log = createLog({ level: 'error', isPretty: true });
    const catalogue = mustCompileCatalogue(rez);
    const gateway = createGateway(config.value, { catalogue, clock: systemClock, log, random: Math.random });
    try {
      const { port } = await gateway.start();
      await use(`ws://127.0.0.1:${port}`);
    } finally {
      await gateway.stop();
    }
  },
});

/** A phone that follows the order and remembers where it was. */
async function openPhone(url: string, positions: PositionStore) {
  const token = await new SignJWT({ sub: ORDER.userId })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
  const client = await connect<RezEvents>({ url, token, positions, backoffScheduleMs: [100] });
  const statuses: string[] = [];
  const resets: string[] = [];
  const order = client.subscribe(`order:${ORDER.orderId}`);
  order.on('order.status_changed', ({ data }) => statuses.push(data.status));
  order.on('reset', ({ reason }) => resets.push(reason));
  await expect.poll(() => order.status, { timeout: 10_000 }).toBe('live');
  return { statuses, resets, [Symbol.dispose]: () => client.close() };
}

test('a customer sees every status once, also those from while the phone was off and NATS restarted', async ({
  nats,
  publisher,
  gatewayUrl,
}) => {
  const publish = async (status: string): Promise<void> => {
    const timestamp = new Date().toISOString();
    await publisher.publish('order.status_changed', ORDER, { orderId: ORDER.orderId, status, timestamp });
  };
  const positions = createMemoryPositions();
  {
    using phone = await openPhone(gatewayUrl, positions);
    await publish('placed');
    await publish('confirmed');
    await expect.poll(() => phone.statuses, { timeout: 10_000 }).toEqual(['placed', 'confirmed']);
  }

  await publish('preparing');
  await nats.restart();
  await publish('ready');

  using phone = await openPhone(gatewayUrl, positions);
  await publish('out_for_delivery');
  await expect.poll(() => phone.statuses, { timeout: 10_000 }).toEqual(['preparing', 'ready', 'out_for_delivery']);
  expect(phone.resets).toEqual([]);
});

// One gateway for all tests of a file, for tests that leave it as they found it: bad input above all. Beside every test
// sits a bystander, a client that must notice nothing.
import type { NatsConnection } from '@nats-io/transport-node';
import { type TestAPI, test as base, expect } from 'vitest';
import { eventually } from './eventually.ts';
import { showOnFailure } from './fixtures.ts';
import { type FrameClientOptions, FrameClient } from './frame-client.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { createOrderStreams, publishOrderEvents } from './order-events.ts';
import { type TokenOptions, customerToken } from './token.ts';

interface FileFixtures {
  nats: NatsServer;
  /** A plain connection; the order streams exist. */
  connection: NatsConnection;
  gateway: Gateway;
}

interface TestFixtures {
  /** A frame client, ended with the test; a customer (u-1) unless a token is given. */
  openFrames: (options?: Partial<FrameClientOptions>) => Promise<FrameClient>;
  /** Connected before the test and still served after it, by a process that logged no fault. */
  bystander: FrameClient;
}

const CHANNEL = 'order:bystander';
const IDS = { userId: 'bystander', orderId: 'bystander' };

/** `tokens`: what the tokens of the clients it opens need beside a subject, such as an audience. */
export function sharedGateway(
  env: Record<string, string> = {},
  tokens: TokenOptions = {},
): TestAPI<FileFixtures & TestFixtures> {
  return base.extend<{ $file: FileFixtures; $test: TestFixtures }>({
    nats: [
      // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its parameter
      async ({}, use) => {
        await using nats = await startNatsServer();
        await use(nats);
      },
      { scope: 'file' },
    ],

    connection: [
      async ({ nats }, use) => {
        await using connection = await nats.connect();
        await createOrderStreams(connection);
        await use(connection);
      },
      { scope: 'file' },
    ],

    // The connection is named so that the streams exist before the gateway looks for them.
    gateway: [
      async ({ nats, connection }, use) => {
        void connection;
        await using gateway = await startGateway({ natsUrl: nats.url, env });
        await use(gateway);
      },
      { scope: 'file' },
    ],

    openFrames: async ({ gateway }, use) => {
      const opened: FrameClient[] = [];
      await use(async (options = {}) => {
        const token = options.token ?? (await customerToken('u-1', tokens));
        const client = await FrameClient.open({ url: gateway.url, token, ...options });
        opened.push(client);
        return client;
      });
      for (const client of opened) client[Symbol.dispose]();
    },

    bystander: [
      async ({ gateway, connection, task }, use) => {
        const token = await customerToken(IDS.userId, tokens);
        using client = await FrameClient.open({ url: gateway.url, token });
        await client.subscribeUntilLive(CHANNEL, { first: 'none' });

        await use(client);

        try {
          const [event] = await publishOrderEvents(connection, 1, IDS);
          await eventually(() => client.recorder.has(CHANNEL, event!), { what: 'the bystander to be served' });
          expect(client.raw.isOpen).toBe(true);
          expect(gateway.logRecords().filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
        } catch (error) {
          process.stderr.write(`--- gateway ---\n${gateway.log().slice(-40).join('\n')}\n`);
          throw error;
        } finally {
          showOnFailure(task, 'gateway', gateway.log());
        }
      },
      { auto: true },
    ],
  });
}

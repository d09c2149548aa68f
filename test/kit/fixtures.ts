// What most tests over real processes start from: one nats-server with the order streams, a gateway, and fault proxies
// on both of the gateway's sides (transparent until a test says otherwise). Everything ends with the test; logs are
// printed only if it failed.
import type { NatsConnection } from '@nats-io/transport-node';
import { type TestContext, test as base } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';
import { type FrameClientOptions, FrameClient } from './frame-client.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { createOrderStreams } from './order-events.ts';
import { type SdkClientOptions, SdkClient } from './sdk-client.ts';
import { customerToken } from './token.ts';

export interface GatewayFixtures {
  /** Settings of the gateway beyond the usual ones: `test.override({ gatewayEnv: { ... } })`. */
  gatewayEnv: Record<string, string>;
  nats: NatsServer;
  /** A plain connection, around the proxies; the order streams exist. */
  connection: NatsConnection;
  /** Between the gateway and NATS. */
  natsProxy: FaultProxy;
  /** Ready, with the order streams. */
  gateway: Gateway;
  /** Between clients and the gateway. */
  clientProxy: FaultProxy;
  /** A client of the SDK through the proxy; a customer (u-1) unless a token is given. */
  openClient: (options?: Partial<SdkClientOptions>) => Promise<SdkClient>;
  /** A frame client through the proxy; a customer (u-1) unless a token is given. */
  openFrames: (options?: Partial<FrameClientOptions>) => Promise<FrameClient>;
}

const SHOWN_LOG_LINES = 80;

export const test = base.extend<GatewayFixtures>({
  gatewayEnv: {},

  nats: async ({ task }, use) => {
    await using nats = await startNatsServer();
    await use(nats);
    showOnFailure(task, 'nats-server', nats.log());
  },

  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createOrderStreams(connection);
    await use(connection);
  },

  natsProxy: async ({ nats }, use) => {
    await using proxy = await FaultProxy.start({ port: nats.port });
    await use(proxy);
  },

  // The connection is named so that the streams exist before the gateway looks for them.
  gateway: async ({ natsProxy, connection, gatewayEnv, task }, use) => {
    void connection;
    await using gateway = await startGateway({ natsUrl: `nats://127.0.0.1:${natsProxy.port}`, env: gatewayEnv });
    await use(gateway);
    showOnFailure(task, 'gateway', gateway.log());
  },

  clientProxy: async ({ gateway }, use) => {
    await using proxy = await FaultProxy.start({ port: gateway.port });
    await use(proxy);
  },

  openClient: async ({ gateway, clientProxy }, use) => {
    const opened: SdkClient[] = [];
    await use(async (options = {}) => {
      const token = options.token ?? (await customerToken());
      const client = new SdkClient({ url: clientProxy.urlFor(gateway.url), token, ...options });
      opened.push(client);
      await client.client.connected();
      return client;
    });
    for (const client of opened) client[Symbol.dispose]();
  },

  openFrames: async ({ gateway, clientProxy }, use) => {
    const opened: FrameClient[] = [];
    await use(async (options = {}) => {
      const token = options.token ?? (await customerToken());
      const client = await FrameClient.open({ url: clientProxy.urlFor(gateway.url), token, ...options });
      opened.push(client);
      return client;
    });
    for (const client of opened) client[Symbol.dispose]();
  },
});

/** Prints the end of a log if the test has failed. */
export function showOnFailure(task: TestContext['task'], name: string, log: readonly string[]): void {
  if (task.result?.state !== 'fail') return;
  process.stderr.write(`--- ${name}, last lines (${task.name}) ---\n${log.slice(-SHOWN_LOG_LINES).join('\n')}\n`);
}

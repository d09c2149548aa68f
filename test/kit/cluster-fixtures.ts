// What tests over a cluster start from: three nats-servers with route proxies, the order streams with three replicas,
// and pods and clients that end with the test.
import type { NatsConnection } from '@nats-io/transport-node';
import { test as base } from 'vitest';
import { eventually } from './eventually.ts';
import { showOnFailure } from './fixtures.ts';
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
import { type NatsCluster, startNatsCluster } from './nats-cluster.ts';
import { createOrderStreams } from './order-events.ts';
import { SdkClient, type SdkClientOptions } from './sdk-client.ts';
import { customerToken } from './token.ts';

export interface ClusterFixtures {
  clusterSize: number;
  cluster: NatsCluster;
  /** To all servers; the order streams exist. */
  connection: NatsConnection;
  startPod: (options: GatewayOptions) => Promise<Gateway>;
  /** A client of the SDK at this pod; a customer (u-1) unless a token is given. */
  openClientAt: (gateway: Gateway, options?: Partial<SdkClientOptions>) => Promise<SdkClient>;
}

export const test = base.extend<ClusterFixtures>({
  clusterSize: 3,

  cluster: async ({ task, clusterSize }, use) => {
    await using cluster = await startNatsCluster(clusterSize, { routeProxies: true });
    await use(cluster);
    showOnFailure(task, 'cluster', cluster.log());
  },

  connection: async ({ cluster }, use) => {
    await using connection = await cluster.connect();
    // A meta leader that was just elected may not know all its peers yet. Creating is idempotent.
    await eventually(() => createOrderStreams(connection, { replicas: 3 }).then(() => true), {
      timeoutMs: 30_000,
      what: 'the order streams',
    });
    await cluster.waitUntilHealthy();
    await use(connection);
  },

  startPod: async ({ task }, use) => {
    const pods: Gateway[] = [];
    await use(async (options) => {
      const pod = await startGateway(options);
      pods.push(pod);
      return pod;
    });
    for (const [index, pod] of pods.entries()) showOnFailure(task, `gateway ${index + 1}`, pod.log());
    for (const pod of pods) await pod[Symbol.asyncDispose]();
  },

  openClientAt: async ({ task }, use) => {
    void task;
    const opened: SdkClient[] = [];
    await use(async (gateway, options = {}) => {
      const client = new SdkClient({ url: gateway.url, token: await customerToken(), ...options });
      opened.push(client);
      await client.client.connected();
      return client;
    });
    for (const client of opened) client[Symbol.dispose]();
  },
});

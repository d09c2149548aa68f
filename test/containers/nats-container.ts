// NATS in containers, as testcontainers starts it: the image, a fixed host port, and how the gateway logs in.
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import { NATS_SERVER_VERSION } from '@sluice/deploy';
import { NatsContainer, type StartedNatsContainer } from '@testcontainers/nats';

/** SLUICE_TEST_NATS_IMAGE, else the official image. `make-image.mjs` makes one where nothing can be pulled. */
export const NATS_IMAGE: string = process.env['SLUICE_TEST_NATS_IMAGE'] || `nats:${NATS_SERVER_VERSION}`;

export const CLIENT_PORT = 4222;
export const MONITOR_PORT = 8222;

/** Not a random host port: the engine gives a container another one when it comes back, and nobody would find it. */
export function natsContainer(hostPort: number): NatsContainer {
  return new NatsContainer(NATS_IMAGE)
    .withJetStream()
    .withArg('http_port', String(MONITOR_PORT))
    .withExposedPorts({ container: CLIENT_PORT, host: hostPort });
}

/** A plain connection that outlives whatever happens to the servers. */
export async function connectTo(
  nodes: readonly StartedNatsContainer[],
  options: ConnectionOptions = {},
): Promise<NatsConnection> {
  return await connect({
    ...nodes[0]!.getConnectionOptions(),
    servers: nodes.map(addressOf),
    reconnectTimeWait: 100,
    maxReconnectAttempts: -1,
    ...options,
  });
}

/** What `startGateway` needs for these servers. */
export function gatewayOptions(nodes: readonly StartedNatsContainer[]): {
  natsUrl: string;
  env: Record<string, string>;
} {
  const { user = '', pass = '' } = nodes[0]!.getConnectionOptions();
  return {
    natsUrl: nodes.map((node) => `nats://${addressOf(node)}`).join(','),
    env: { SLUICE_NATS_USER: user, SLUICE_NATS_PASSWORD: pass },
  };
}

function addressOf(node: StartedNatsContainer): string {
  return `${node.getHost()}:${node.getMappedPort(CLIENT_PORT)}`;
}

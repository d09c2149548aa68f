// NATS in containers, as testcontainers starts it: the image, a fixed host port, and how the gateway logs in.
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { connect } from '@nats-io/transport-node';
import { NATS_SERVER_VERSION } from '@sluice/deploy';
import { NatsContainer, type StartedNatsContainer } from '@testcontainers/nats';
import { Wait } from 'testcontainers';

/** SLUICE_TEST_NATS_IMAGE, else the official image. `make-image.mjs` makes one where nothing can be pulled. */
export const NATS_IMAGE: string = process.env['SLUICE_TEST_NATS_IMAGE'] || `nats:${NATS_SERVER_VERSION}`;

export const CLIENT_PORT = 4222;
export const MONITOR_PORT = 8222;
/** Below the test's own limit: a test that runs into that one leaves its containers behind. */
const STARTUP_TIMEOUT_MS = 30_000;

/**
 * On a fixed host port: the engine gives a container another random one when it comes back, and nobody would find it.
 * Waits for the health page, not for the log: after a restart the log is read from the time at which the engine
 * noted the start, and a server that was ready a millisecond earlier has never been.
 */
export function natsContainer(hostPort: number): NatsContainer {
  return new NatsContainer(NATS_IMAGE)
    .withJetStream()
    .withArg('http_port', String(MONITOR_PORT))
    .withExposedPorts({ container: CLIENT_PORT, host: hostPort })
    .withWaitStrategy(Wait.forHttp('/healthz', MONITOR_PORT))
    .withStartupTimeout(STARTUP_TIMEOUT_MS);
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

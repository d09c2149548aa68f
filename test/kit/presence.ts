// What tests of presence start from: a nats-server with the streams of a small catalogue, as many pods as wanted with
// short leases, and what was told of a user, read from the stream.
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { applyStreams } from '@sluice/producers';
import { mustCompileCatalogue } from '@sluice/schemas';
import { type GatewayFixtures, showOnFailure, test as base } from './fixtures.ts';
import { FrameClient } from './frame-client.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { catalogue } from './presence-catalogue.mjs';
import { customerToken } from './token.ts';

export const PRESENCE_CATALOGUE: string = fileURLToPath(new URL('presence-catalogue.mjs', import.meta.url));
/** Long enough for a busy machine to renew a lease in time, ten times over. */
const TIMES = {
  SLUICE_PRESENCE_LINGER_MS: '1000',
  SLUICE_PRESENCE_LEASE_MS: '400',
  SLUICE_PRESENCE_DEAD_AFTER_MS: '4000',
  SLUICE_DRAIN_WINDOW_MS: '1000',
};

interface PresenceFixtures {
  /** Another pod; ends with the test. */
  startPod: (options?: { natsUrl?: string; env?: Record<string, string> }) => Promise<Gateway>;
  /** A device of the user. */
  device: (pod: Gateway, user: string) => Promise<FrameClient>;
  /** What was told, oldest first. */
  toldOf: (user: string) => Promise<string[]>;
  /** Keys of the bucket that have a value. */
  keys: () => Promise<string[]>;
}

export const test = base.extend<PresenceFixtures & Pick<GatewayFixtures, 'connection'>>({
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createPresenceStreams(connection);
    await use(connection);
  },

  // The connection is named so that the streams exist before a gateway looks for them.
  startPod: async ({ nats, connection, task }, use) => {
    void connection;
    const pods: Gateway[] = [];
    await use(async ({ natsUrl = nats.url, env = {} } = {}) => {
      const pod = await startGateway({ natsUrl, env: { SLUICE_CATALOGUE: PRESENCE_CATALOGUE, ...TIMES, ...env } });
      pods.push(pod);
      return pod;
    });
    for (const [at, pod] of pods.entries()) {
      showOnFailure(task, `pod ${at}`, pod.log());
      await pod[Symbol.asyncDispose]();
    }
  },

  device: async ({ connection }, use) => {
    void connection;
    const opened: FrameClient[] = [];
    await use(async (pod, user) => {
      const client = await FrameClient.open({ url: pod.url, token: await customerToken(user) });
      opened.push(client);
      return client;
    });
    for (const client of opened) client[Symbol.dispose]();
  },

  toldOf: async ({ connection }, use) => {
    await use((user) => toldOf(connection, user));
  },

  keys: async ({ connection }, use) => {
    await use(() => keysOf(connection));
  },
});

export const createPresenceStreams = async (connection: NatsConnection, replicas = 1): Promise<void> => {
  await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(catalogue), { replicas });
};

export const toldOf = async (connection: NatsConnection, user: string): Promise<string[]> =>
  (await subjectsOf(connection, 'PERSON', `person.${user}.*`)).map((each) => each.split('.')[2]!);

export const keysOf = async (connection: NatsConnection): Promise<string[]> =>
  (await subjectsOf(connection, 'KV_presence', '$KV.presence.>')).map((each) => each.slice('$KV.presence.'.length));

/** Of every message that has a payload, in order. */
const subjectsOf = async (connection: NatsConnection, stream: string, filter: string): Promise<string[]> => {
  const manager = await jetstreamManager(connection);
  const subjects: string[] = [];
  for (let seq = 1; ;) {
    const message = await manager.direct.getMessage(stream, { seq, next_by_subj: filter });
    if (!message) return subjects;
    if (message.data.length > 0) subjects.push(message.subject);
    seq = message.seq + 1;
  }
};

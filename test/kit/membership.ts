// What tests of memberships and joining start from: a nats-server with the streams of a small catalogue of their own and
// the bucket of grants, a gateway behind fault proxies, and words for who is who.
import { fileURLToPath } from 'node:url';
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Grants, applyStreams, createGrants } from '@sluice/producers';
import { mustCompileCatalogue } from '@sluice/schemas';
import { type GatewayFixtures, showOnFailure, test as base } from './fixtures.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { catalogue } from './membership-catalogue.mjs';
import { secretIssuer, type TokenOptions } from './token.ts';

export const MEMBERSHIP_CATALOGUE = fileURLToPath(new URL('membership-catalogue.mjs', import.meta.url));

interface MembershipFixtures {
  js: JetStreamClient;
  grants: Grants;
}

/** `connection`, `gateway` and what follows from them are those of the small catalogue. */
export const test = base.extend<MembershipFixtures & Pick<GatewayFixtures, 'connection' | 'gateway'>>({
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createMembershipStreams(connection);
    await use(connection);
  },

  gateway: async ({ natsProxy, connection, gatewayEnv, task }, use) => {
    void connection;
    await using gateway = await startMembershipGateway(`nats://127.0.0.1:${natsProxy.port}`, gatewayEnv);
    await use(gateway);
    showOnFailure(task, 'gateway', gateway.log());
  },

  js: async ({ connection }, use) => {
    await use(jetstream(connection));
  },

  grants: async ({ connection }, use) => {
    const grants = await createGrants({ connection });
    await use(grants);
    await grants.close();
  },
});

export const createMembershipStreams = async (connection: NatsConnection, replicas = 1): Promise<void> => {
  await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(catalogue), { replicas });
};

export const startMembershipGateway = (natsUrl: string, env: Record<string, string> = {}): Promise<Gateway> =>
  startGateway({ natsUrl, env: { SLUICE_CATALOGUE: MEMBERSHIP_CATALOGUE, ...env } });

export const tokenOf = (
  sub: string,
  claims: Record<string, unknown> = {},
  options: TokenOptions = {},
): Promise<string> => secretIssuer().sign({ sub, ...claims }, options);

/** Stored when it resolves, as its sequence. */
export const say = async (js: JetStreamClient, chatId: string, from: string, text: string): Promise<number> =>
  (await js.publish(`chat.${chatId}.${from}.message`, JSON.stringify({ text }))).seq;

export const tellUser = async (js: JetStreamClient, userId: string, type: string, text: string): Promise<number> =>
  (await js.publish(`notice.${userId}.${type}`, JSON.stringify({ text }))).seq;

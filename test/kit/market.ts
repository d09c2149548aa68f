// What tests of conflation, expiry and ephemeral events start from: a nats-server with the streams of a small catalogue of
// their own, a gateway behind fault proxies, and a publisher.
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Publisher, applyStreams, createPublisher } from '@sluice/producers';
import { type CatalogueDefinition, mustCompileCatalogue } from '@sluice/schemas';
import { test as base, showOnFailure } from './fixtures.ts';
import type { FrameClient } from './frame-client.ts';
import { startGateway } from './gateway.ts';
import { catalogue } from './market-catalogue.mjs';

export const MARKET_CATALOGUE = fileURLToPath(new URL('market-catalogue.mjs', import.meta.url));

type AnyPublisher = Publisher<CatalogueDefinition> & {
  // The catalogue is a module of plain JavaScript: its events have no types here.
  publish(type: string, keys: Record<string, string>, payload: unknown): Promise<{ readonly sequence: number }>;
  emit(type: string, keys: Record<string, string>, payload: unknown): void;
};

interface MarketFixtures {
  publisher: AnyPublisher;
}

const extended = base.extend<MarketFixtures>({
  publisher: async ({ connection }, use) => {
    const publisher = await createPublisher({ catalogue, connection });
    await use(publisher as unknown as AnyPublisher);
    await publisher.close();
  },
});

/** `connection`, `gateway` and what follows from them are those of the small catalogue. */
export const test = extended.override({
  connection: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await createMarketStreams(connection);
    await use(connection);
  },

  gateway: async ({ natsProxy, connection, gatewayEnv, task }, use) => {
    void connection;
    const env = { SLUICE_CATALOGUE: MARKET_CATALOGUE, ...gatewayEnv };
    await using gateway = await startGateway({ natsUrl: `nats://127.0.0.1:${natsProxy.port}`, env });
    await use(gateway);
    showOnFailure(task, 'gateway', gateway.log());
  },
});

export const createMarketStreams = async (connection: NatsConnection): Promise<void> => {
  await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(catalogue));
};

/** Sequences of the events that the client has of a channel, in order of arrival. */
export const sequencesOf = (client: FrameClient, channel: string, type?: string): number[] =>
  client.recorder
    .events(channel)
    .filter((event) => type === undefined || event.type === type)
    .map(({ sequence }) => sequence);

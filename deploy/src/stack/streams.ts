// Creates the catalogue's streams. Knows JetStream's configuration; which streams there are is the catalogue's business.

import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import type { CatalogueStream } from '@sluice/schemas';

export interface StreamLimits {
  /** Oldest events go first above this; the catalogue's own limit, if it has one, wins. */
  readonly maxBytes?: number;
  readonly replicas?: number;
}

/** What the gateway can serve: limits retention (it acknowledges nothing) and direct gets (it reads ranges). */
export function toStreamConfig(
  stream: CatalogueStream,
  limits: StreamLimits = {},
): Partial<StreamConfig> & { name: string } {
  return {
    name: stream.name,
    subjects: [...stream.subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(stream.maxAgeMs),
    max_bytes: stream.maxBytes ?? limits.maxBytes ?? -1,
    num_replicas: limits.replicas ?? 1,
    allow_direct: true,
  };
}

/** Creates what is missing and leaves what is there as it is: an operator may have tuned it. */
export async function ensureStreams(
  connection: NatsConnection,
  streams: readonly CatalogueStream[],
  limits: StreamLimits = {},
): Promise<void> {
  const manager = await jetstreamManager(connection);
  const existing = new Set<string>();
  for await (const name of manager.streams.names()) existing.add(name);
  await Promise.all(
    streams
      .filter(({ name }) => !existing.has(name))
      .map((stream) => manager.streams.add(toStreamConfig(stream, limits))),
  );
}

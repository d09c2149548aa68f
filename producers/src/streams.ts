// Creates the catalogue's streams. Never changes or deletes one that exists: an operator may have tuned it.
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { COMMAND_STREAM, hasPresence, type Catalogue, type CatalogueStream } from '@sluice/schemas';
import { ProducerError } from './errors.ts';
import { toGrantBucketConfig } from './grants.ts';
import { toPresenceBucketConfig } from './presence.ts';

export interface StreamOptions {
  readonly replicas?: number;
  /** For streams whose catalogue entry names no limit of its own; the oldest events go first. */
  readonly maxBytes?: number;
  /** Name of the stream that keeps commands; the gateways must be told the same one. */
  readonly commandStream?: string;
  /** Name of the bucket that keeps grants; likewise. */
  readonly grantsBucket?: string;
  /** Name of the bucket that keeps who is online; likewise. */
  readonly presenceBucket?: string;
}

/** A catalogue, or some of its streams. */
export type StreamSource =
  | readonly CatalogueStream[]
  | Pick<Catalogue, 'streams' | 'commands' | 'channels' | 'presence'>;

export interface StreamDifference {
  readonly field: string;
  readonly wanted: unknown;
  readonly found: unknown;
}

export type StreamReport =
  | { readonly stream: string; readonly kind: 'created' | 'equal' }
  | { readonly stream: string; readonly kind: 'different'; readonly differences: readonly StreamDifference[] };

const NS_PER_MS = 1_000_000;
const DUPLICATE_WINDOW_MS = 120_000;

export type Wanted = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };

/** What a gateway can serve: limits retention (it acknowledges nothing) and direct gets (it reads ranges). */
export const toStreamConfig = (stream: CatalogueStream, options: StreamOptions = {}): Wanted => ({
  name: stream.name,
  subjects: [...stream.subjects],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_age: stream.maxAgeMs * NS_PER_MS,
  max_bytes: stream.maxBytes ?? options.maxBytes ?? -1,
  // Not above the age: the server refuses that.
  duplicate_window: Math.min(DUPLICATE_WINDOW_MS, stream.maxAgeMs) * NS_PER_MS,
  allow_direct: true,
  // Servers before 2.11 do not know it and keep such events until they are too old.
  ...(stream.isExpiring && { allow_msg_ttl: true }),
  num_replicas: options.replicas ?? 1,
});

/**
 * Keeps each command for longer than services remember its id, one per subject: the second of a (user, name, id) is
 * refused by the stream, through whichever pod it comes. Full, it refuses rather than forget an id.
 */
export const toCommandStreamConfig = (options: StreamOptions = {}): Wanted => ({
  name: options.commandStream ?? COMMAND_STREAM.name,
  subjects: [...COMMAND_STREAM.subjects],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.New,
  discard_new_per_subject: true,
  max_msgs_per_subject: 1,
  max_age: COMMAND_STREAM.maxAgeMs * NS_PER_MS,
  max_bytes: options.maxBytes ?? -1,
  duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
  allow_direct: true,
  num_replicas: options.replicas ?? 1,
});

export const SNAPSHOT_STREAM = 'SNAPSHOT';
const SNAPSHOT_AGE_MS = 7 * 86_400_000;

/** What services keep of what they have folded, in the newest of each subject; none of it is more than a convenience. */
export const toSnapshotStreamConfig = (options: StreamOptions = {}): Wanted => ({
  name: SNAPSHOT_STREAM,
  subjects: ['snapshot.>'],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 1,
  max_age: SNAPSHOT_AGE_MS * NS_PER_MS,
  max_bytes: options.maxBytes ?? -1,
  duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
  allow_direct: true,
  num_replicas: options.replicas ?? 1,
});

/** Every stream that a catalogue needs, those of its commands, grants, presence and services too. */
export const streamConfigsOf = (source: StreamSource, options: StreamOptions = {}): readonly Wanted[] => {
  if (!('streams' in source)) return source.map((stream) => toStreamConfig(stream, options));
  const { streams, commands, channels } = source;
  const configs = streams.map((stream) => toStreamConfig(stream, options));
  // A command that only becomes an ephemeral event is stored nowhere.
  if ([...commands.values()].some(({ effect }) => effect === undefined))
    configs.push(toCommandStreamConfig(options), toSnapshotStreamConfig(options));
  const isGranted = [...channels.values()].some(({ definition }) => definition.access.some((each) => each.isGranted));
  if (isGranted) configs.push(toGrantBucketConfig(options));
  if (hasPresence(source)) configs.push(toPresenceBucketConfig(options));
  return configs;
};

/** Creates what is missing, leaves the rest and says how it differs. Throws `refused` with the server's reason. */
export const applyStreams = async (
  manager: JetStreamManager,
  source: StreamSource,
  options: StreamOptions = {},
): Promise<readonly StreamReport[]> => {
  const reports: StreamReport[] = [];
  for (const wanted of streamConfigsOf(source, options)) reports.push(await applyStream(manager, wanted));
  return reports;
};

const applyStream = async (manager: JetStreamManager, wanted: Wanted): Promise<StreamReport> => {
  const found = await findStream(manager, wanted.name);
  if (found) return compare(wanted, found);
  try {
    await manager.streams.add(wanted);
    return { stream: wanted.name, kind: 'created' };
  } catch (cause) {
    // Somebody else may have been faster, with other limits.
    const rival = await findStream(manager, wanted.name);
    if (rival) return compare(wanted, rival);
    throw new ProducerError('refused', { path: wanted.name, reason: String(cause) }, cause);
  }
};

/** Undefined where there is none. Throws `unavailable`. */
export const findStream = async (manager: JetStreamManager, name: string): Promise<StreamConfig | undefined> => {
  try {
    return (await manager.streams.info(name)).config;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw new ProducerError('unavailable', { path: name, reason: String(cause) }, cause);
  }
};

const compare = (wanted: Wanted, found: StreamConfig): StreamReport => {
  const differences = Object.entries(wanted)
    .map(([field, value]) => ({
      field,
      wanted: value as unknown,
      found: found[field as keyof StreamConfig] as unknown,
    }))
    .filter(({ wanted: one, found: other }) => canonical(one) !== canonical(other));
  return differences.length === 0
    ? { stream: wanted.name, kind: 'equal' }
    : { stream: wanted.name, kind: 'different', differences };
};

/** Subjects are a set; an absent flag is false. */
const canonical = (value: unknown): string =>
  JSON.stringify(
    Array.isArray(value)
      ? [...(value as unknown[])].sort((a, b) => (String(a) < String(b) ? -1 : 1))
      : (value ?? false),
  );

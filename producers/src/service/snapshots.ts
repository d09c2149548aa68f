// Keeps what a service has folded, so that its next start reads only what came after. A convenience, never the truth: any
// doubt about a snapshot means that everything is read again. Knows bytes, not what is in them.
import { createHash } from 'node:crypto';
import { DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { Connection } from '../nats.ts';
import { findStream, type StreamOptions, type Wanted } from '../streams.ts';

export interface Snapshots {
  /** Undefined if there is none that is whole. */
  load(service: string): Promise<Uint8Array | undefined>;
  save(service: string, bytes: Uint8Array): Promise<void>;
}

interface Pointer {
  /** Two by turns: what is being written is never what is being read. */
  readonly slot: 0 | 1;
  readonly chunks: number;
  readonly hash: string;
}

const STREAM = 'SNAPSHOT';
const CHUNK_BYTES = 256 * 1024;
const WEEK_NS = 7 * 86_400_000 * 1_000_000;

/** The newest of each subject, for as long as the streams that it stands for hold their events. */
export const toSnapshotStreamConfig = (options: StreamOptions = {}): Wanted => ({
  name: STREAM,
  subjects: ['snapshot.>'],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 1,
  max_age: WEEK_NS,
  allow_direct: true,
  num_replicas: options.replicas ?? 1,
});

/** In a stream of its own, which it creates if it is missing and this user may. */
export const createSnapshots = (connection: Connection): Snapshots => {
  const find = async (subject: string): Promise<Uint8Array | undefined> => {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.getMessage(STREAM, { last_by_subj: subject }))?.data;
  };

  const findPointer = async (service: string): Promise<Pointer | undefined> => {
    const data = await find(`snapshot.${service}`);
    return data && (JSON.parse(Buffer.from(data).toString()) as Pointer);
  };

  const load = async (service: string): Promise<Uint8Array | undefined> => {
    try {
      const pointer = await findPointer(service);
      if (!pointer) return undefined;
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < pointer.chunks; at++) {
        const chunk = await find(`snapshot.${service}.${pointer.slot}.${at}`);
        if (!chunk) return undefined;
        chunks.push(chunk);
      }
      const bytes = Buffer.concat(chunks);
      return hashOf(bytes) === pointer.hash ? bytes : undefined;
    } catch {
      return undefined; // no stream, no right to it, no server: the events are there
    }
  };

  const save = async (service: string, bytes: Uint8Array): Promise<void> => {
    const manager = await jetstreamManager(connection);
    if (!(await findStream(manager, STREAM))) await manager.streams.add(toSnapshotStreamConfig());
    const previous = await findPointer(service).catch(() => undefined);
    const slot = previous?.slot === 0 ? 1 : 0;
    const pointer: Pointer = { slot, chunks: Math.ceil(bytes.length / CHUNK_BYTES), hash: hashOf(bytes) };
    const client = jetstream(connection);
    for (let at = 0; at < pointer.chunks; at++) {
      const chunk = bytes.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES);
      await client.publish(`snapshot.${service}.${slot}.${at}`, chunk);
    }
    // Last: whoever reads it finds all of the rest. Two copies at once may spoil each other's: the hash tells.
    await client.publish(`snapshot.${service}`, JSON.stringify(pointer));
  };

  return { load, save };
};

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64url');

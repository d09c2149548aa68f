// Keeps what a service has folded, so that its next start reads only what came after. A convenience, never the truth: any
// doubt about a snapshot means that everything is read again. Knows bytes, not what is in them.
import { createHash } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Connection } from '../nats.ts';
import { findStream, SNAPSHOT_STREAM, toSnapshotStreamConfig } from '../streams.ts';

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

const CHUNK_BYTES = 256 * 1024;

/** In a stream of its own, which it creates if it is missing and this user may. */
export const createSnapshots = (connection: Connection): Snapshots => {
  const find = async (subject: string): Promise<Uint8Array | undefined> => {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.getMessage(SNAPSHOT_STREAM, { last_by_subj: subject }))?.data;
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
    if (!(await findStream(manager, SNAPSHOT_STREAM))) await manager.streams.add(toSnapshotStreamConfig());
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

// A real nats-server with the catalogue's streams for one benchmark, and what the harness asks of it directly.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { launchNatsServer, resolveNatsServerBinary } from '@sluice/deploy';
import { mustCompileCatalogue, orders } from '@sluice/schemas';

export interface Nats {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Store time of events of the ORDER stream, in ms, as positions carry it. */
  storeTimesMs(sequences: readonly number[]): Promise<number[]>;
  stop(): Promise<void>;
}

const NANOSECONDS_PER_MS = 1e6;

export const startNats = async (): Promise<Nats> => {
  const { path } = await resolveNatsServerBinary();
  const storeDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const server = await launchNatsServer({ binary: path, storeDir, detached: true });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(storeDir, { recursive: true, force: true });
  };
  try {
    await createStreams(server.url);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: server.url,
    port: server.port,
    pid: server.pid,
    storeTimesMs: (sequences) => storeTimesMs(server.url, sequences),
    stop,
  };
};

const createStreams = async (url: string): Promise<void> => {
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    for (const { name, subjects, maxAgeMs } of mustCompileCatalogue(orders).streams) {
      await manager.streams.add({
        name,
        subjects: [...subjects],
        max_age: maxAgeMs * NANOSECONDS_PER_MS,
        allow_direct: true,
      });
    }
  } finally {
    await connection.close();
  }
};

const storeTimesMs = async (url: string, sequences: readonly number[]): Promise<number[]> => {
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    const times: number[] = [];
    for (const seq of sequences) {
      const message = await manager.direct.getMessage('ORDER', { seq });
      if (!message) throw new Error(`ORDER has no event ${seq}`);
      times.push(message.time.getTime());
    }
    return times;
  } finally {
    await connection.close();
  }
};

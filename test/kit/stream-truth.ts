// What a stream holds, read with a plain nats.js consumer: the truth that clients' records are compared with.
import { eventually } from './eventually.ts';
import { AckPolicy, DeliverPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

export interface TrueEvent {
  sequence: number;
  subject: string;
  timeMs: number;
  /** The payload, decoded; undefined where it is not JSON. */
  data: unknown;
  bytes: Uint8Array;
}

export interface StreamTruth {
  stream: string;
  /** Retained events in stream order, without delete markers. */
  events: readonly TrueEvent[];
  firstSequence: number;
  lastSequence: number;
}

const BATCH = 1_000;

/** Reads whole streams as they are now. Publishers should have stopped. */
export async function readStreams(connection: NatsConnection, names: readonly string[]): Promise<StreamTruth[]> {
  const truths: StreamTruth[] = [];
  for (const name of names) {
    // A replica that was killed catches up after it is back: until then its copy is not the truth, which says so.
    truths.push(await eventually(() => readStream(connection, name), { timeoutMs: 60_000, intervalMs: 500 }));
  }
  return truths;
}

export async function readStream(connection: NatsConnection, stream: string): Promise<StreamTruth> {
  const manager = await jetstreamManager(connection, { timeout: 10_000 });
  const { state } = await manager.streams.info(stream);
  const { name } = await manager.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.All,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 30_000_000_000,
  });
  try {
    const consumer = await jetstream(connection, { timeout: 10_000 }).consumers.get(stream, name);
    const events: TrueEvent[] = [];
    let total = 0;
    // 0 messages: nothing to wait for. Otherwise the last message says how many are left.
    for (let pending = state.messages; pending > 0;) {
      const batch = await consumer.fetch({ max_messages: BATCH, expires: 5_000 });
      let received = 0;
      for await (const message of batch) {
        received += 1;
        total += 1;
        pending = message.info.pending;
        // A marker has no payload; with one it is an event whose producer forged the header.
        if (message.data.length > 0 || !message.headers?.has('Nats-Marker-Reason')) events.push(toTrueEvent(message));
        if (pending === 0) break;
      }
      if (received === 0) throw new Error(`stream ${stream}: ${pending} messages did not come`);
    }
    // The consumer reads its own server's copy of the stream, which lags while the cluster is torn. (What expired while
    // this was reading is missing by right.)
    if (total < state.messages && total < (await manager.streams.info(stream)).state.messages) {
      throw new Error(`stream ${stream}: ${total} of ${state.messages} messages came`);
    }
    return { stream, events, firstSequence: state.first_seq, lastSequence: state.last_seq };
  } finally {
    await manager.consumers.delete(stream, name).catch(() => false); // ephemeral: it goes by itself
  }
}

function toTrueEvent(message: JsMsg): TrueEvent {
  return {
    sequence: message.seq,
    subject: message.subject,
    // A bigint: as a number it would round across a millisecond now and then.
    timeMs: Number(message.timestampNanos / 1_000_000n),
    data: parseJson(message.data),
    bytes: message.data.slice(),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined; // a test of bad payloads
  }
}

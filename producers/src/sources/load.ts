// Publishes as fast as it goes, or at a steady rate, over many channels, many acknowledgements in flight. Cheap: no
// schema check and no promise per event. Every event is acknowledged or sent again.
import type { Encoding } from '@sluice/schemas';
import { systemClock, wait } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import { type Connection, connectTo, messageHeaders, type Servers, Wire } from '../nats.ts';
import type { Reply } from '../reply.ts';
import { DEFAULT_RETRY, judge, nextDelayMs } from '../retry.ts';
import type { OrderKeys } from './city/order-life.ts';
import { createLoadEvent, type LoadEvent, type LoadType, monotonicNowMs } from './load/load-event.ts';

export type LoadOptions = (Servers | { readonly connection: Connection }) & {
  /** One order each. */
  readonly channels: readonly OrderKeys[];
  readonly payloadBytes: number;
  readonly encoding?: Encoding;
  /** In turn on each channel. */
  readonly types?: readonly LoadType[];
  /** Half of what a server's ingest queue takes before it refuses (10,000). */
  readonly maxInFlight?: number;
  readonly ackTimeoutMs?: number;
  /** Gives every event an id, so that none is stored twice; the server then remembers two minutes of ids. */
  readonly messageIds?: boolean;
};

export interface LoadRun {
  /** Absent: until the signal aborts. */
  readonly count?: number;
  /** Absent: as fast as acknowledgements come. */
  readonly ratePerSecond?: number;
  readonly signal?: AbortSignal;
}

export interface LoadReport {
  /** All of them acknowledged. */
  readonly events: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Attempts beyond the first. */
  readonly retries: number;
  /** Retries of events that may have been stored already: without ids each may have made a second one. */
  readonly uncertain: number;
  /** Highest sequence acknowledged. */
  readonly lastSequence: number;
  /** From the publish call to the acknowledgement, over the newest 100,000 events. */
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface LoadPublisher {
  /** One run at a time. Rejects with a `ProducerError` when an event cannot be stored. */
  run(run?: LoadRun): Promise<LoadReport>;
  close(): Promise<void>;
}

const ACK_TIMEOUT_MS = 5_000;
const MAX_IN_FLIGHT = 5_000;
const TICK_MS = 1;
const KEPT_LATENCIES = 100_000;

/** Throws `connect_failed`, or `invalid_option` for a size that the fields alone exceed. */
export const createLoadPublisher = async (options: LoadOptions): Promise<LoadPublisher> => {
  const { channels, payloadBytes, encoding = 'msgpack', types = ['order.status_changed'] } = options;
  if (channels.length === 0 || types.length === 0) throw new ProducerError('invalid_option', { path: 'channels' });
  const events = channels.map((keys) => types.map((type) => createLoadEvent(keys, type, payloadBytes, encoding)));
  const isOwner = !('connection' in options);
  const connection = isOwner ? await connectTo(options) : options.connection;
  const ackTimeoutMs = options.ackTimeoutMs ?? ACK_TIMEOUT_MS;
  const wire = new Wire(connection, { clock: systemClock, ackTimeoutMs });
  const idPrefix = options.messageIds ? crypto.randomUUID().slice(0, 8) : undefined;
  const source = new LoadSource(wire, events, options.maxInFlight ?? MAX_IN_FLIGHT, idPrefix);
  return {
    run: (run = {}) => source.run(run),
    close: async () => {
      wire.release();
      if (isOwner) await connection.close();
    },
  };
};

interface Sent {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly id: string | undefined;
  readonly sentAtMs: number;
  attempt: number;
}

class LoadSource {
  readonly #wire: Wire;
  readonly #events: readonly (readonly LoadEvent[])[];
  readonly #maxInFlight: number;
  readonly #idPrefix: string | undefined;
  /** Events that each channel has had. */
  readonly #serials: Uint32Array;
  readonly #latencies = new Float64Array(KEPT_LATENCIES);
  #published = 0;
  #acknowledged = 0;
  /** Latencies taken in this run. */
  #measured = 0;
  #retries = 0;
  #uncertain = 0;
  #lastSequence = 0;
  #failure: ProducerError | undefined;
  #onProgress: () => void = () => {};

  constructor(
    wire: Wire,
    events: readonly (readonly LoadEvent[])[],
    maxInFlight: number,
    idPrefix: string | undefined,
  ) {
    this.#wire = wire;
    this.#events = events;
    this.#maxInFlight = maxInFlight;
    this.#idPrefix = idPrefix;
    this.#serials = new Uint32Array(events.length);
  }

  async run({ count = Number.POSITIVE_INFINITY, ratePerSecond, signal }: LoadRun): Promise<LoadReport> {
    const startedMs = monotonicNowMs();
    const first = this.#acknowledged;
    const [retries, uncertain] = [this.#retries, this.#uncertain];
    this.#measured = 0;
    let target = this.#published + count;
    const stop = (): void => {
      target = this.#published;
      this.#onProgress();
    };
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });

    const due = (): number => {
      if (ratePerSecond === undefined) return target;
      return Math.min(target, first + Math.floor(((monotonicNowMs() - startedMs) / 1_000) * ratePerSecond));
    };
    while (this.#published < target && !this.#failure) {
      this.#publishUpTo(due());
      if (ratePerSecond === undefined) await this.#progress(() => this.#hasRoom() || this.#published >= target);
      else await wait(systemClock, TICK_MS, signal);
    }
    await this.#progress(() => this.#acknowledged >= this.#published);
    signal?.removeEventListener('abort', stop);
    if (this.#failure) throw this.#failure;

    const seconds = (monotonicNowMs() - startedMs) / 1_000;
    const events = this.#acknowledged - first;
    return {
      ...{ events, seconds, eventsPerSecond: Math.round(events / seconds), lastSequence: this.#lastSequence },
      ...{ retries: this.#retries - retries, uncertain: this.#uncertain - uncertain },
      ackMs: percentiles(this.#latencies.subarray(0, Math.min(this.#measured, KEPT_LATENCIES))),
    };
  }

  /** Resolves once `isDone` holds; looked at after each acknowledgement. */
  async #progress(isDone: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onProgress = () => {
        if (!isDone() && !this.#failure) return;
        this.#onProgress = () => {};
        resolve();
      };
      this.#onProgress();
    });
  }

  /** Half of the window at a time: a wake-up per acknowledgement would cost more than the publish. */
  #hasRoom(): boolean {
    return this.#published - this.#acknowledged <= this.#maxInFlight / 2;
  }

  #publishUpTo(due: number): void {
    const timestamp = new Date().toISOString();
    while (this.#published < due && this.#published - this.#acknowledged < this.#maxInFlight) {
      const index = this.#published++;
      const channel = index % this.#events.length;
      const serial = this.#serials[channel]!++;
      const types = this.#events[channel]!;
      const { subject, render } = types[serial % types.length]!;
      const sentAtMs = monotonicNowMs();
      const id = this.#idPrefix === undefined ? undefined : `${this.#idPrefix}-${index}`;
      this.#send({ subject, bytes: render(serial, sentAtMs, timestamp), id, sentAtMs, attempt: 1 });
    }
  }

  #send(sent: Sent): void {
    const headers = sent.id === undefined ? undefined : messageHeaders({ 'Nats-Msg-Id': sent.id });
    this.#wire.post(sent.subject, sent.bytes, headers, (reply) => this.#onReply(sent, reply));
  }

  #onReply(sent: Sent, reply: Reply): void {
    if (reply.kind === 'stored') {
      this.#acknowledged++;
      this.#latencies[this.#measured++ % KEPT_LATENCIES] = monotonicNowMs() - sent.sentAtMs;
      if (reply.sequence > this.#lastSequence) this.#lastSequence = reply.sequence;
      this.#onProgress();
      return;
    }
    const verdict = judge(reply);
    const elapsedMs = monotonicNowMs() - sent.sentAtMs;
    const delayMs = nextDelayMs(DEFAULT_RETRY, sent.attempt++, elapsedMs, Math.random);
    if (verdict.kind === 'retry' && delayMs !== undefined) {
      this.#retries++;
      if (verdict.isUncertain) this.#uncertain++;
      // Without an id a late retry is as good as an early one, but patience ends all the same.
      systemClock.after(delayMs, () => this.#send(sent));
      return;
    }
    const code = verdict.kind === 'final' ? verdict.code : 'unacknowledged';
    this.#failure ??= new ProducerError(code, { reason: reply.kind === 'refused' ? reply.description : reply.kind });
    this.#onProgress();
  }
}

const percentiles = (values: Float64Array): LoadReport['ackMs'] => {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
};

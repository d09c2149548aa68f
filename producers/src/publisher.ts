// Publishes events of a catalogue: checked before they are sent, acknowledged before they count, stored once however
// often they had to be sent. Order: events of one aggregate keep theirs if each is awaited before the next.
import { setMaxListeners } from 'node:events';
import type { CatalogueDefinition, Encoding, EventsOf, KeysOf } from '@sluice/schemas';
import { type Clock, systemClock, wait } from './clock.ts';
import { ProducerError } from './errors.ts';
import { type EncodedEvent, EventEncoder } from './event-encoder.ts';
import { type InFlightLimits, InFlightWindow } from './in-flight.ts';
import { type Connection, type ConnectionChange, connectTo, messageHeaders, type Servers, Wire } from './nats.ts';
import type { Random } from './random.ts';
import type { Reply, Stored } from './reply.ts';
import { DEFAULT_RETRY, judge, nextDelayMs, type RetryPolicy } from './retry.ts';
import { toTimeToLive } from './time-to-live.ts';

export interface PublisherSettings extends Partial<InFlightLimits> {
  readonly encoding?: Encoding;
  /** How long one attempt waits for its acknowledgement. */
  readonly ackTimeoutMs?: number;
  readonly retry?: Partial<RetryPolicy>;
  readonly inboxPrefix?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Makes the message id of an event that is published without one; never twice the same. */
  readonly createId?: () => string;
}

export type PublisherOptions<C extends CatalogueDefinition> = PublisherSettings & {
  readonly catalogue: C;
} & (Servers | { readonly connection: Connection });

export interface PublishOptions {
  /** The event's identity: published again under it within the duplicate window (2 min) it is stored once. */
  readonly id?: string;
  /** Sequence of the newest event on this subject, 0 for none: stored only if that is still so. */
  readonly expectedSequence?: number;
  /** Whose newest sequence is meant, instead of the event's own subject: a filter that matches it, `wallet.u-1.*`. */
  readonly expectedSubject?: string;
  /** More headers; values are printable ASCII. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Somebody else wrote to the subject first. Nothing was stored. */
export interface Conflict {
  readonly kind: 'conflict';
  readonly code: 'wrong_last_sequence';
  /** What the subject's newest sequence is, where the server tells. */
  readonly lastSequence?: number;
}

export interface Publisher<C extends CatalogueDefinition> {
  /** Resolves when JetStream has stored the event; rejects with a `ProducerError`. */
  publish<T extends keyof EventsOf<C> & string>(
    type: T,
    keys: KeysOf<C, T>,
    payload: EventsOf<C>[T],
    options: PublishOptions & { readonly expectedSequence: number },
  ): Promise<Stored | Conflict>;
  publish<T extends keyof EventsOf<C> & string>(
    type: T,
    keys: KeysOf<C, T>,
    payload: EventsOf<C>[T],
    options?: PublishOptions & { readonly expectedSequence?: never },
  ): Promise<Stored>;
  /** An ephemeral event: whoever listens now gets it, at most once. Throws a `ProducerError` for one that does not fit. */
  emit<T extends keyof EventsOf<C> & string>(type: T, keys: KeysOf<C, T>, payload: EventsOf<C>[T]): void;
  /** What is under way, for metrics and tests. */
  readonly inFlight: { readonly count: number; readonly bytes: number; readonly waiting: number };
  onConnection(listener: (change: ConnectionChange) => void): () => void;
  /** Takes no more, waits for what is under way, at most so long; what is left then rejects with `closed`. */
  close(timeoutMs?: number): Promise<void>;
}

const DEFAULT_LIMITS: InFlightLimits = { maxInFlight: 1_000, maxInFlightBytes: 8 * 1024 * 1024, maxWaiting: 100_000 };
const ACK_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 5_000;
const MAX_ID_LENGTH = 256;
/** Above the subjects of what no stream keeps. */
const EPHEMERAL = 'eph';
const TTL_HEADER = 'Nats-TTL';
/** The stream does not take a lifetime per message: an operator made it, or an older version of us. */
const TTL_DISABLED = 10_166;
// Printable ASCII: a message id travels as a header value.
const MESSAGE_ID = /^[\x21-\x7e]+$/;

/** Connects (unless a connection is given). Throws `connect_failed` or `invalid_option`. */
export const createPublisher = async <C extends CatalogueDefinition>(
  options: PublisherOptions<C>,
): Promise<Publisher<C>> => {
  const encoder = new EventEncoder(options.catalogue, options.encoding ?? 'msgpack');
  const { clock = systemClock, inboxPrefix, ackTimeoutMs = ACK_TIMEOUT_MS } = options;
  const isOwner = !('connection' in options);
  const connection = isOwner ? await connectTo(options) : options.connection;
  const wire = new Wire(connection, { clock, ackTimeoutMs, ...(inboxPrefix !== undefined && { inboxPrefix }) });
  const disconnect = async (): Promise<void> => {
    if (isOwner) await connection.close();
  };
  return new JetStreamPublisher(encoder, wire, disconnect, options) as Publisher<C>;
};

interface Delivery extends EncodedEvent {
  readonly type: string;
  readonly id: string;
  readonly expectedSequence: number | undefined;
  readonly expectedSubject: string;
  readonly headers: Readonly<Record<string, string>>;
}

class JetStreamPublisher {
  readonly #encoder: EventEncoder;
  readonly #wire: Wire;
  readonly #disconnect: () => Promise<void>;
  readonly #window: InFlightWindow;
  readonly #retry: RetryPolicy;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #createId: () => string;
  readonly #stop = new AbortController();
  /** Streams that refused a lifetime: gateways judge by the `expires` header, the events just stay longer. */
  readonly #keepingStreams = new Set<string>();
  #isClosing = false;

  constructor(encoder: EventEncoder, wire: Wire, disconnect: () => Promise<void>, settings: PublisherSettings) {
    this.#encoder = encoder;
    this.#wire = wire;
    this.#disconnect = disconnect;
    this.#window = new InFlightWindow(limitsOf(settings));
    this.#retry = { ...DEFAULT_RETRY, ...settings.retry };
    this.#clock = settings.clock ?? systemClock;
    this.#random = settings.random ?? Math.random;
    this.#createId = settings.createId ?? createIdFactory();
    // Every publish that waits listens to it.
    setMaxListeners(0, this.#stop.signal);
  }

  get inFlight(): { count: number; bytes: number; waiting: number } {
    return { count: this.#window.count, bytes: this.#window.bytes, waiting: this.#window.waiting };
  }

  onConnection(listener: (change: ConnectionChange) => void): () => void {
    return this.#wire.onChange(listener);
  }

  async publish(
    type: string,
    keys: Readonly<Record<string, string>>,
    payload: unknown,
    options: PublishOptions = {},
  ): Promise<Stored | Conflict> {
    const event = this.#encoder.encode(type, keys, payload);
    if (event.isEphemeral) {
      throw new ProducerError('invalid_option', { type, path: 'type', reason: 'is ephemeral: emit it' });
    }
    const { id = this.#createId(), expectedSequence, expectedSubject = event.subject } = options;
    const headers = { ...options.headers, ...headersOf(type, id, options), ...this.#lifetimeOf(event) };
    const delivery = { ...event, type, id, expectedSequence, expectedSubject, headers };
    const bytes = sizeOf(delivery);
    if (bytes > this.#wire.maxPayloadBytes) {
      throw new ProducerError('too_large', { type, reason: `${bytes} of ${this.#wire.maxPayloadBytes} bytes` });
    }
    if (this.#isClosing) throw new ProducerError('closed', { type });
    const entry = this.#window.enter(bytes);
    if (entry === 'overloaded') throw new ProducerError('overloaded', { type });
    if (entry !== 'entered') await entry;
    try {
      return await this.#deliver(delivery);
    } finally {
      this.#window.leave(bytes);
    }
  }

  emit(type: string, keys: Readonly<Record<string, string>>, payload: unknown): void {
    const { subject, bytes, isEphemeral } = this.#encoder.encode(type, keys, payload);
    if (!isEphemeral)
      throw new ProducerError('invalid_option', { type, path: 'type', reason: 'is stored: publish it' });
    if (this.#isClosing) throw new ProducerError('closed', { type });
    this.#wire.tell(`${EPHEMERAL}.${subject}`, bytes);
  }

  async close(timeoutMs: number = CLOSE_TIMEOUT_MS): Promise<void> {
    this.#isClosing = true;
    const overdue = new AbortController();
    await Promise.race([this.#window.whenIdle(), wait(this.#clock, timeoutMs, overdue.signal)]);
    overdue.abort();
    this.#stop.abort();
    this.#wire.release();
    await this.#disconnect();
  }

  /** For gateways the exact time; for the server a lifetime in whole seconds, which must not end before. */
  #lifetimeOf({ expiresAtMs, stream }: EncodedEvent): Record<string, string> {
    if (expiresAtMs === undefined) return {};
    const timeToLive = toTimeToLive(expiresAtMs - this.#clock.wallMs());
    return {
      expires: String(Math.max(0, expiresAtMs)),
      ...(!this.#keepingStreams.has(stream) && { [TTL_HEADER]: timeToLive }),
    };
  }

  /** The same message, id and all, until there is a verdict or the time is used up. */
  async #deliver(delivery: Delivery): Promise<Stored | Conflict> {
    const { subject, bytes, stream, type } = delivery;
    let { headers } = delivery;
    const startedMs = this.#clock.monotonicMs();
    let isUncertain = false;
    for (let attempt = 1; ; attempt++) {
      // Never into a lost connection: what nats.js takes meanwhile it throws away.
      await this.#whenUp(startedMs + this.#retry.giveUpAfterMs);
      if (this.#stop.signal.aborted) throw new ProducerError('closed', { type });
      const reply = await this.#wire.send(subject, bytes, messageHeaders(headers));
      if (reply.kind === 'refused' && reply.apiCode === TTL_DISABLED && TTL_HEADER in headers) {
        this.#keepingStreams.add(stream);
        const { [TTL_HEADER]: _, ...others } = headers;
        headers = others;
        continue;
      }
      const verdict = judge(reply);
      switch (verdict.kind) {
        case 'stored':
          return reply as Stored;
        case 'conflict': {
          const outcome = await this.#settleConflict(delivery, reply, isUncertain);
          if (outcome !== 'unknown') return outcome;
          break;
        }
        case 'final':
          throw toError(verdict.code, type, reply);
        case 'retry':
          isUncertain ||= verdict.isUncertain;
      }
      const delayMs = nextDelayMs(this.#retry, attempt, this.#clock.monotonicMs() - startedMs, this.#random);
      if (delayMs === undefined) throw toError(isUncertain ? 'unacknowledged' : 'unavailable', type, reply);
      await wait(this.#clock, delayMs, this.#stop.signal);
    }
  }

  /**
   * The server compares sequences before ids (2.15): an event that is published again under the sequence it expected
   * then is in conflict with itself. At most one message can follow the expected one, so that one tells.
   */
  async #settleConflict(
    delivery: Delivery,
    reply: Reply,
    isUncertain: boolean,
  ): Promise<Stored | Conflict | 'unknown'> {
    const { stream, expectedSubject, expectedSequence = 0, id } = delivery;
    const next = await this.#wire.firstAfter(stream, expectedSubject, expectedSequence);
    if (next === 'unknown' && isUncertain) return 'unknown';
    const isOurs = typeof next === 'object' && next.messageId === id;
    return isOurs ? { kind: 'stored', stream, sequence: next.sequence, duplicate: true } : toConflict(reply);
  }

  async #whenUp(deadlineMs: number): Promise<void> {
    if (this.#wire.isUp || this.#wire.isClosed || this.#stop.signal.aborted) return;
    const patience = new AbortController();
    const end = (): void => patience.abort();
    const forget = this.#wire.onChange(end);
    this.#stop.signal.addEventListener('abort', end, { once: true });
    await wait(this.#clock, Math.max(0, deadlineMs - this.#clock.monotonicMs()), patience.signal);
    this.#stop.signal.removeEventListener('abort', end);
    forget();
  }
}

const headersOf = (
  type: string,
  id: string,
  { expectedSequence, expectedSubject }: PublishOptions,
): Record<string, string> => {
  if (id.length > MAX_ID_LENGTH || !MESSAGE_ID.test(id)) {
    const reason = `must be 1 to ${MAX_ID_LENGTH} printable ASCII characters`;
    throw new ProducerError('invalid_option', { type, path: 'options/id', reason });
  }
  if (expectedSequence === undefined) return { 'Nats-Msg-Id': id };
  if (!Number.isSafeInteger(expectedSequence) || expectedSequence < 0) {
    throw new ProducerError('invalid_option', { type, path: 'options/expectedSequence', reason: 'is no sequence' });
  }
  return {
    'Nats-Msg-Id': id,
    'Nats-Expected-Last-Subject-Sequence': String(expectedSequence),
    ...(expectedSubject !== undefined && { 'Nats-Expected-Last-Subject-Sequence-Subject': expectedSubject }),
  };
};

const limitsOf = (settings: PublisherSettings): InFlightLimits => {
  const limits = {
    maxInFlight: settings.maxInFlight ?? DEFAULT_LIMITS.maxInFlight,
    maxInFlightBytes: settings.maxInFlightBytes ?? DEFAULT_LIMITS.maxInFlightBytes,
    maxWaiting: settings.maxWaiting ?? DEFAULT_LIMITS.maxWaiting,
  };
  for (const [path, value] of Object.entries(limits)) {
    if (!(value >= (path === 'maxWaiting' ? 0 : 1))) {
      throw new ProducerError('invalid_option', { path, reason: `is ${value}` });
    }
  }
  return limits;
};

/** A random part per publisher and a counter: unique, short, and cheaper than a UUID per event. */
const createIdFactory = (): (() => string) => {
  const prefix = crypto.randomUUID().replaceAll('-', '').slice(0, 16);
  let count = 0;
  return () => `${prefix}-${(++count).toString(36)}`;
};

const HEADER_LINE_BYTES = 4;
const HEADER_HEAD_BYTES = 12;

const sizeOf = ({ bytes, headers }: Delivery): number => {
  let size = bytes.length + HEADER_HEAD_BYTES;
  for (const [name, value] of Object.entries(headers)) size += name.length + value.length + HEADER_LINE_BYTES;
  return size;
};

const toConflict = (reply: Reply): Conflict => {
  const stated = reply.kind === 'refused' ? /(\d+)$/.exec(reply.description)?.[1] : undefined;
  const conflict = { kind: 'conflict', code: 'wrong_last_sequence' } as const;
  return stated === undefined ? conflict : { ...conflict, lastSequence: Number(stated) };
};

const toError = (code: ProducerError['code'], type: string, reply: Reply): ProducerError =>
  reply.kind === 'refused'
    ? new ProducerError(code, { type, reason: reply.description, apiCode: reply.apiCode })
    : new ProducerError(code, { type, reason: reply.kind });

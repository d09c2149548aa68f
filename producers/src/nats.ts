// The connection to NATS: publishes with a reply inbox of its own and tells what came back. Knows acknowledgements and
// outages; not events, schemas or what to try again. Nobody else here publishes.
import {
  connect,
  createInbox,
  headers,
  type MsgHdrs,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError,
} from '@nats-io/transport-node';
import type { Clock } from './clock.ts';
import { ProducerError } from './errors.ts';
import { parseReply, type Reply } from './reply.ts';

/** A connection that somebody else owns and closes. */
export type Connection = NatsConnection;

export interface Servers {
  readonly servers: string | readonly string[];
  /** Authentication, TLS, a name: passed to nats.js as they are. */
  readonly connect?: Omit<NodeConnectionOptions, 'servers'>;
  /** Keep trying when no server answers at first, instead of `connect_failed`. */
  readonly waitForServer?: boolean;
}

export interface WireOptions {
  readonly ackTimeoutMs: number;
  readonly clock: Clock;
  /** Must be one that this user may subscribe to. */
  readonly inboxPrefix?: string;
}

export type ConnectionChange = 'lost' | 'back' | 'closed';

interface Pending {
  readonly subject: string;
  readonly deadlineMs: number;
  readonly onReply: (reply: Reply) => void;
}

export interface StoredMessage {
  readonly sequence: number;
  readonly messageId: string | undefined;
}

export const messageHeaders = (fields: Readonly<Record<string, string>>): MsgHdrs => {
  const built = headers();
  for (const [name, value] of Object.entries(fields)) built.set(name, value);
  return built;
};

const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 100;

/** Throws `connect_failed`. The connection comes back by itself for as long as it takes. */
export const connectTo = async ({ servers, connect: more, waitForServer }: Servers): Promise<NatsConnection> => {
  try {
    return await connect({
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      waitOnFirstConnect: waitForServer ?? false,
      ...more,
      servers: typeof servers === 'string' ? servers : [...servers],
    });
  } catch (cause) {
    throw new ProducerError('connect_failed', { reason: String(cause) }, cause);
  }
};

export class Wire {
  readonly #connection: NatsConnection;
  readonly #options: WireOptions;
  readonly #inbox: string;
  readonly #unsubscribe: () => void;
  /** In order of sending, which with one timeout for all is the order of their deadlines. */
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(change: ConnectionChange) => void>();
  #lastToken = 0;
  #isUp = true;
  #isClosed = false;
  #stopSweep: (() => void) | undefined;

  constructor(connection: NatsConnection, options: WireOptions) {
    this.#connection = connection;
    this.#options = options;
    // One subscription for all acknowledgements, and no timer per message as nats.js' requests have.
    this.#inbox = `${createInbox(options.inboxPrefix)}.`;
    const subscription = connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (!error) this.#onMessage(message);
      },
    });
    this.#unsubscribe = () => subscription.unsubscribe();
    void this.#watch();
  }

  /** Largest message that the server takes, headers included. */
  get maxPayloadBytes(): number {
    return this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  get isUp(): boolean {
    return this.#isUp && !this.#isClosed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The returned function ends the listening. */
  onChange(listener: (change: ConnectionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `onReply` exactly once. The bytes must stay as they are until then. */
  post(subject: string, bytes: Uint8Array, header: MsgHdrs | undefined, onReply: (reply: Reply) => void): void {
    if (this.#isClosed) return onReply({ kind: 'closed' });
    // nats.js would keep the message and throw it away at the next dial.
    if (!this.#isUp) return onReply({ kind: 'not_sent' });
    const token = ++this.#lastToken;
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.ackTimeoutMs;
    this.#pending.set(token, { subject, deadlineMs, onReply });
    const reply = this.#inbox + token.toString(36);
    try {
      this.#connection.publish(subject, bytes, header === undefined ? { reply } : { reply, headers: header });
    } catch {
      // Closing or closed, the only faults left once subject and size are checked.
      this.#settle(token, { kind: 'closed' });
    }
    this.#stopSweep ??= this.#options.clock.after(this.#options.ackTimeoutMs / 4, () => this.#sweep());
  }

  /** Whoever listens now gets it, at most once; nothing comes back. */
  tell(subject: string, bytes: Uint8Array): void {
    if (this.isUp) this.#connection.publish(subject, bytes);
  }

  send(subject: string, bytes: Uint8Array, header: MsgHdrs | undefined): Promise<Reply> {
    return new Promise((resolve) => this.post(subject, bytes, header, resolve));
  }

  /**
   * The first message on the subject after that sequence, as the stream's leader sees it: a replica may be behind.
   * `unknown` when nobody can tell, or when this user may not ask.
   */
  async firstAfter(stream: string, subject: string, sequence: number): Promise<StoredMessage | 'none' | 'unknown'> {
    const request = JSON.stringify({ seq: sequence + 1, next_by_subj: subject });
    try {
      const timeout = this.#options.ackTimeoutMs;
      const answer = await this.#connection.request(`$JS.API.STREAM.MSG.GET.${stream}`, request, { timeout });
      return parseStoredMessage(answer.json());
    } catch {
      // Timeout, no responders, forbidden, closed: the caller has a retry for all of them.
      return 'unknown';
    }
  }

  /** Stops listening for acknowledgements: what is pending is answered `closed`. The connection stays. */
  release(): void {
    if (this.#isClosed) return;
    this.#onClosed();
    if (!this.#connection.isClosed()) this.#unsubscribe();
  }

  #onMessage(message: Msg): void {
    const token = Number.parseInt(message.subject.slice(this.#inbox.length), 36);
    this.#settle(token, isNoResponders(message) ? { kind: 'no_responders' } : parseReply(message.data));
  }

  /** A reply that nobody waits for any more (its attempt has timed out) is ignored. */
  #settle(token: number, reply: Reply): void {
    const pending = this.#pending.get(token);
    if (!pending) return;
    this.#pending.delete(token);
    pending.onReply(reply);
  }

  #settleAll(reply: Reply, subject?: string): void {
    // A copy: whoever is answered may publish again at once.
    const open = Array.from(this.#pending);
    for (const [token, pending] of open) {
      if (subject === undefined || pending.subject === subject) this.#settle(token, reply);
    }
  }

  #sweep(): void {
    this.#stopSweep = undefined;
    const nowMs = this.#options.clock.monotonicMs();
    for (const [token, { deadlineMs }] of this.#pending) {
      if (deadlineMs > nowMs) break;
      this.#settle(token, { kind: 'timeout' });
    }
    if (this.#pending.size === 0) return;
    this.#stopSweep ??= this.#options.clock.after(this.#options.ackTimeoutMs / 4, () => this.#sweep());
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#isClosed) return;
      if (status.type === 'disconnect' && this.#isUp) this.#onLost();
      else if (status.type === 'reconnect') this.#onBack();
      else if (status.type === 'error' && status.error instanceof PermissionViolationError) {
        if (status.error.operation === 'publish') this.#settleAll({ kind: 'forbidden' }, status.error.subject);
      }
    }
    this.#onClosed();
  }

  #onLost(): void {
    this.#isUp = false;
    this.#settleAll({ kind: 'disconnected' });
    this.#tell('lost');
  }

  #onBack(): void {
    this.#isUp = true;
    this.#tell('back');
  }

  #onClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopSweep?.();
    this.#settleAll({ kind: 'closed' });
    this.#tell('closed');
    this.#listeners.clear();
  }

  #tell(change: ConnectionChange): void {
    // A listener may end its own listening.
    const listeners = Array.from(this.#listeners);
    for (const listener of listeners) listener(change);
  }
}

const NO_MESSAGE_FOUND = 10_037;
const MESSAGE_ID_LINE = /\r\nNats-Msg-Id: ?(.*)\r\n/i;

const parseStoredMessage = (answer: unknown): StoredMessage | 'none' | 'unknown' => {
  const { message, error } = answer as {
    message?: { seq?: number; hdrs?: string };
    error?: { err_code?: number };
  };
  if (error) return error.err_code === NO_MESSAGE_FOUND ? 'none' : 'unknown';
  if (typeof message?.seq !== 'number') return 'unknown';
  const lines = Buffer.from(message.hdrs ?? '', 'base64').toString('latin1');
  return { sequence: message.seq, messageId: MESSAGE_ID_LINE.exec(lines)?.[1] };
};

const isNoResponders = (message: Msg): boolean => message.data.length === 0 && message.headers?.code === 503;

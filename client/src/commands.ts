// Commands on their way: kept, and sent again with the same id after every interruption, until the gateway has stored
// them (I6). Knows frames and time; not the connection.
import {
  isRetryable,
  type Command,
  type ErrorFrame,
  type OkReply,
  type OfflineRule,
  type UpFrame,
} from '@sluice/schemas';
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { ClientError } from './errors.ts';
import type { Rehearsed } from './rehearsal.ts';

export interface SendOptions {
  /** The application's own name for what it does; a random one by default. Of two with one name the first counts. */
  readonly commandId?: string;
  /** False: now or never. By default what the catalogue says, where the client was given its commands. */
  readonly queue?: boolean;
}

export interface Acknowledgement {
  /** Of the command in its stream; 0 for one that is stored nowhere. */
  readonly sequence: number;
  /** It had been stored before: an earlier acknowledgement was lost. */
  readonly isDuplicate: boolean;
}

/** What a catalogue says about a command that concerns the client. */
export interface CommandRule {
  readonly name: string;
  readonly offline: OfflineRule;
}

export interface CommandsContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly scheduleMs: readonly number[];
  readonly rules: readonly CommandRule[];
  readonly newId: () => string;
  isReady(): boolean;
  nextRequestId(): number;
  /** Throws for what no gateway could read. */
  rehearse(frame: Command): Rehearsed;
  send(frame: UpFrame): boolean;
}

interface Pending {
  readonly name: string;
  readonly commandId: string;
  readonly data: Record<string, unknown>;
  readonly bytes: number;
  readonly isQueued: boolean;
  readonly order: Order;
  readonly expiresAtMs: number;
  readonly stopExpiry: () => void;
  readonly promise: Promise<Acknowledgement>;
  readonly resolve: (acknowledgement: Acknowledgement) => void;
  readonly reject: (error: ClientError) => void;
  /** Of the request that is under way on this connection. */
  requestId: number | undefined;
}

/**
 * Among the commands of one service: `ordered` after all that was sent before it and before all that is sent after it,
 * `commutative` in any order with its like. Of what no rule is known, nothing is waited for.
 */
type Order = 'ordered' | 'commutative' | 'free';

const ORDER_BY_RULE: Readonly<Record<OfflineRule, Order>> = {
  last_wins: 'ordered',
  rejected_with_state: 'ordered',
  commutative: 'commutative',
  never_queued: 'free',
};

const MAX_KEPT = 100;
const MAX_KEPT_BYTES = 4 * 1_048_576;
const KEEP_MS = 24 * 3_600_000;
/** What a gateway takes of one connection at once, with room to spare; the rest follows as it is acknowledged. */
const MAX_IN_FLIGHT = 32;
const MAX_IN_FLIGHT_BYTES = 262_144;
/** Until the gateway has told its own. */
const DEFAULT_MAX_FRAME_BYTES = 1_000_000;

export class Commands {
  readonly #context: CommandsContext;
  readonly #rules: ReadonlyMap<string, OfflineRule>;
  /** In the order of `send`, by name and id. */
  readonly #pending = new Map<string, Pending>();
  readonly #byRequest = new Map<number, Pending>();
  #keptBytes = 0;
  #bytesInFlight = 0;
  #maxFrameBytes = DEFAULT_MAX_FRAME_BYTES;
  #subject: string | undefined;
  /** Refusals in a row; the gateway has asked for a pause after the last one. */
  #refusals = 0;
  #stopPause: (() => void) | undefined;

  constructor(context: CommandsContext) {
    this.#context = context;
    this.#rules = new Map(context.rules.map(({ name, offline }) => [name, offline]));
  }

  send(name: string, data: unknown, options: SendOptions): Promise<Acknowledgement> {
    const { clock, newId } = this.#context;
    const commandId = options.commandId ?? newId();
    const key = keyOf({ name, commandId });
    const known = this.#pending.get(key);
    if (known) return known.promise;
    const rule = this.#rules.get(name);
    const isQueued = options.queue ?? rule !== 'never_queued';
    const order = rule === undefined ? 'free' : ORDER_BY_RULE[rule];
    if (!isQueued && !this.#context.isReady()) return refuse('not_connected');
    if (this.#pending.size >= MAX_KEPT) return refuse('queue_full');
    const frame: Command = { kind: 'command', id: 0xffff_ffff, commandId, name, data: data as Command['data'] };
    let rehearsed: Rehearsed;
    try {
      rehearsed = this.#context.rehearse(frame);
    } catch (cause) {
      return refuse('invalid_command', cause);
    }
    // Sent, it would cost the connection.
    if (rehearsed.bytes > this.#maxFrameBytes) return refuse('frame_too_large');
    if (this.#keptBytes + rehearsed.bytes > MAX_KEPT_BYTES) return refuse('queue_full');
    let settle: Pick<Pending, 'resolve' | 'reject'> | undefined;
    const promise = new Promise<Acknowledgement>((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever sends and does not ask what became of it shall not be ended by the answer.
    promise.catch(() => {});
    const expiresAtMs = clock.now() + KEEP_MS;
    const stopExpiry = clock.after(KEEP_MS, () => this.#reject(pending, 'command_expired'));
    const pending: Pending = {
      ...{ name, commandId, isQueued, order, expiresAtMs, stopExpiry, promise },
      ...rehearsed,
      ...settle!,
      requestId: undefined,
    };
    this.#pending.set(key, pending);
    this.#keptBytes += pending.bytes;
    this.#flow();
    // Others are before it, or the gateway has asked for a pause: later would be too late.
    if (!isQueued && pending.requestId === undefined) this.#reject(pending, 'queue_full');
    return promise;
  }

  /**
   * Nothing is sent yet, but may be at any moment from now on. Commands of another user are dropped: they are not this
   * one's to send.
   */
  welcomed(subject: string, maxFrameBytes: number): void {
    if (this.#subject !== undefined && this.#subject !== subject) this.#rejectAll('subject_mismatch');
    this.#subject = subject;
    this.#maxFrameBytes = maxFrameBytes;
    // Taken while the limit was not known: sent, each of them would cost this connection and the next ones.
    for (const pending of [...this.#pending.values()]) {
      if (pending.bytes > maxFrameBytes) this.#reject(pending, 'frame_too_large');
    }
    this.#expire();
  }

  /** A connection is ready. */
  connected(): void {
    this.#goOn();
  }

  acknowledged({ id, sequence = 0, isDuplicate = false }: OkReply): void {
    const pending = this.#land(id);
    if (!pending) return;
    this.#refusals = 0;
    this.#forget(pending);
    pending.resolve({ sequence, isDuplicate });
    this.#flow();
  }

  /** False if the error is about something else. */
  refused(frame: ErrorFrame): boolean {
    const pending = frame.id === undefined ? undefined : this.#land(frame.id);
    if (!pending) return false;
    if (pending.isQueued && isRetryable(frame.code)) this.#pause(frame.retryAfterMs);
    else {
      this.#forget(pending);
      pending.reject(ClientError.of(frame));
      this.#flow();
    }
    return true;
  }

  disconnected(): void {
    this.#stopPause?.();
    this.#stopPause = undefined;
    this.#refusals = 0;
    for (const pending of [...this.#byRequest.values()]) {
      this.#land(pending.requestId!);
      if (!pending.isQueued) this.#reject(pending, 'connection_lost');
    }
  }

  close(): void {
    this.disconnected();
    this.#rejectAll('connection_closed');
    // What is sent from now on is the next user's, who may be another one.
    this.#subject = undefined;
  }

  /** Sends what may be under way now, oldest first. */
  #flow(): void {
    if (this.#stopPause) return;
    const before = new Map<string, Order>();
    for (const pending of [...this.#pending.values()]) {
      if (!this.#context.isReady()) return;
      // One that is refused for now comes after those that were not: its successors must not be under way by then.
      const mayGo = isNext(pending, before);
      if (pending.requestId !== undefined || !mayGo) continue;
      const isFull = this.#byRequest.size >= MAX_IN_FLIGHT || this.#bytesInFlight + pending.bytes > MAX_IN_FLIGHT_BYTES;
      if (isFull && this.#byRequest.size > 0) return;
      const { name, commandId, data } = pending;
      const id = this.#context.nextRequestId();
      pending.requestId = id;
      this.#byRequest.set(id, pending);
      this.#bytesInFlight += pending.bytes;
      // Sending may drop the connection, which lands what is in flight.
      if (!this.#context.send({ kind: 'command', id, commandId, name, data })) this.#land(id);
    }
  }

  /** What one is refused for holds for the others too: all wait. */
  #pause(retryAfterMs: number | undefined): void {
    this.#refusals++;
    this.#stopPause?.();
    const { clock, random, scheduleMs } = this.#context;
    const waitMs = backoffMs(this.#refusals, random(), { scheduleMs, retryAfterMs });
    this.#stopPause = clock.after(waitMs, () => this.#goOn());
  }

  #goOn(): void {
    this.#stopPause?.();
    this.#stopPause = undefined;
    this.#expire();
    this.#flow();
  }

  /** The request is over, whatever became of it. */
  #land(id: number): Pending | undefined {
    const pending = this.#byRequest.get(id);
    if (!pending) return undefined;
    this.#byRequest.delete(id);
    this.#bytesInFlight -= pending.bytes;
    pending.requestId = undefined;
    return pending;
  }

  #forget(pending: Pending): void {
    if (pending.requestId !== undefined) this.#land(pending.requestId);
    pending.stopExpiry();
    if (this.#pending.delete(keyOf(pending))) this.#keptBytes -= pending.bytes;
  }

  /** Timers do not run while a device sleeps; while it is awake its clock may be set back, and they know better. */
  #expire(): void {
    const nowMs = this.#context.clock.now();
    for (const pending of [...this.#pending.values()]) {
      if (pending.expiresAtMs <= nowMs) this.#reject(pending, 'command_expired');
    }
  }

  #rejectAll(code: string): void {
    for (const pending of [...this.#pending.values()]) this.#reject(pending, code);
  }

  #reject(pending: Pending, code: string): void {
    this.#forget(pending);
    pending.reject(new ClientError(code));
  }
}

/** Whether nothing that is still to be acknowledged must come first. Adds it to what is before the next one. */
const isNext = ({ name, order }: Pending, before: Map<string, Order>): boolean => {
  if (order === 'free') return true;
  const service = name.slice(0, name.indexOf('.'));
  const earlier = before.get(service);
  before.set(service, earlier === 'ordered' ? earlier : order);
  return earlier === undefined || (earlier === 'commutative' && order === 'commutative');
};

const keyOf = ({ name, commandId }: Pick<Pending, 'name' | 'commandId'>): string => `${name} ${commandId}`;

const refuse = (code: string, ...cause: readonly unknown[]): Promise<never> => {
  const refused = Promise.reject(new ClientError(code, cause.length > 0 ? { cause: cause[0] } : {}));
  refused.catch(() => {});
  return refused;
};

// Calls, and questions about who is on a channel, that wait for their answer. Asked once: whether to ask again is for the
// application. Knows frames; not the connection.
import type { Call, CallResult, ErrorFrame, Presence, PresenceQuery, UpFrame } from '@sluice/schemas';
import type { Clock } from './clock.ts';
import { ClientError } from './errors.ts';
import type { Rehearsed } from './rehearsal.ts';

export interface CallOptions {
  /** Less patience than the catalogue has for the service. */
  readonly timeoutMs?: number;
}

/** Who is on a channel: users, not devices, over all pods. */
export interface ChannelPresence {
  readonly count: number;
  /** Their subs, sorted, at most 1,000; absent where the channel tells only how many. */
  readonly members?: readonly string[];
}

export interface CallsContext {
  readonly clock: Clock;
  isReady(): boolean;
  nextRequestId(): number;
  /** Throws for what no gateway could read. */
  rehearse(frame: Call | PresenceQuery): Rehearsed;
  send(frame: UpFrame): boolean;
}

interface Waiting {
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: ClientError) => void;
  readonly stopTimer: (() => void) | undefined;
}

const MAX_WAITING = 100;
/** The gateway counts the same time; its answer says more than our own. */
const GRACE_MS = 2_000;
/** A gateway waits a second for the other pods. */
const PRESENCE_TIMEOUT_MS = 5_000;

export class Calls {
  readonly #context: CallsContext;
  readonly #waiting = new Map<number, Waiting>();
  #maxFrameBytes = Number.POSITIVE_INFINITY;

  constructor(context: CallsContext) {
    this.#context = context;
  }

  welcomed(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  call(name: string, data: unknown, { timeoutMs }: CallOptions): Promise<unknown> {
    return this.#ask(timeoutMs, (id) => ({
      kind: 'call',
      id,
      name,
      data: data as Record<string, unknown>,
      ...(timeoutMs !== undefined && { timeoutMs }),
    }));
  }

  presence(channel: string): Promise<ChannelPresence> {
    return this.#ask(PRESENCE_TIMEOUT_MS, (id) => ({
      kind: 'presence_query',
      id,
      channel,
    })) as Promise<ChannelPresence>;
  }

  #ask(timeoutMs: number | undefined, toFrame: (id: number) => Call | PresenceQuery): Promise<unknown> {
    const { clock } = this.#context;
    if (!this.#context.isReady()) return Promise.reject(new ClientError('not_connected'));
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new ClientError('queue_full'));
    const id = this.#context.nextRequestId();
    const frame = toFrame(id);
    try {
      // Sent, it would cost the connection.
      if (this.#context.rehearse(frame).bytes > this.#maxFrameBytes)
        return Promise.reject(new ClientError('frame_too_large'));
    } catch (cause) {
      return Promise.reject(new ClientError('invalid_command', { cause }));
    }
    return new Promise((resolve, reject) => {
      const giveUp = (): void => this.#take(id)?.reject(new ClientError('no_answer'));
      const stopTimer = timeoutMs === undefined ? undefined : clock.after(timeoutMs + GRACE_MS, giveUp);
      this.#waiting.set(id, { resolve, reject, stopTimer });
      if (!this.#context.send(frame)) this.#take(id)?.reject(new ClientError('not_connected'));
    });
  }

  answered({ id, data }: CallResult): void {
    this.#take(id)?.resolve(data);
  }

  present({ id, count, members }: Presence): void {
    this.#take(id)?.resolve({ count, ...(members && { members }) });
  }

  /** False if the error is about something else. */
  refused(frame: ErrorFrame): boolean {
    const waiting = frame.id === undefined ? undefined : this.#take(frame.id);
    waiting?.reject(ClientError.of(frame));
    return waiting !== undefined;
  }

  disconnected(): void {
    this.#rejectAll('connection_lost');
  }

  close(): void {
    this.#rejectAll('connection_closed');
  }

  #rejectAll(code: string): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(new ClientError(code));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.stopTimer?.();
    return waiting;
  }
}

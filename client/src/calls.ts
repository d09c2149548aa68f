// Calls that wait for their answer. Asked once: whether to ask again is for the application. Knows frames; not the
// connection.
import type { CallResult, ErrorFrame, UpFrame } from '@sluice/schemas';
import type { Clock } from './clock.ts';
import { ClientError } from './errors.ts';

export interface CallOptions {
  /** Less patience than the catalogue has for the service. */
  readonly timeoutMs?: number;
}

export interface CallsContext {
  readonly clock: Clock;
  isReady(): boolean;
  nextRequestId(): number;
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

export class Calls {
  readonly #context: CallsContext;
  readonly #waiting = new Map<number, Waiting>();

  constructor(context: CallsContext) {
    this.#context = context;
  }

  call(name: string, data: unknown, { timeoutMs }: CallOptions): Promise<unknown> {
    const { clock } = this.#context;
    if (!this.#context.isReady()) return Promise.reject(new ClientError('not_connected'));
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new ClientError('queue_full'));
    const id = this.#context.nextRequestId();
    return new Promise((resolve, reject) => {
      const giveUp = (): void => this.#take(id)?.reject(new ClientError('no_answer'));
      const stopTimer = timeoutMs === undefined ? undefined : clock.after(timeoutMs + GRACE_MS, giveUp);
      this.#waiting.set(id, { resolve, reject, stopTimer });
      const frame: UpFrame = {
        kind: 'call',
        id,
        name,
        data: data as Record<string, unknown>,
        ...(timeoutMs !== undefined && { timeoutMs }),
      };
      if (!this.#context.send(frame)) this.#take(id)?.reject(new ClientError('not_connected'));
    });
  }

  answered({ id, data }: CallResult): void {
    this.#take(id)?.resolve(data);
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

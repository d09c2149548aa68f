// The wire part of direct gets: one long-lived inbox, answers matched by token, the end marker kept. nats.js' own batch
// iterator hides the end marker, and has a fixed timer. Any replica may answer: what an answer proves is not decided here.

import { GatewayError } from '../errors.ts';
import type { Clock, TimerHandle } from '../operations/clock.ts';
import type { StoredEvent } from './cold-contract.ts';
import { API } from './jetstream-api.ts';
import { expiresHeader, headerBytes, headerText, isDeleteMarker, numberHeader, statusOf } from './message-bytes.ts';
import type { MessageLike } from './message-bytes.ts';
import type { NatsLink } from './nats.ts';
import { StoredHeader } from './stored-header.ts';

export interface RangeQuery {
  readonly seq: number;
  readonly next_by_subj: string;
  readonly batch: number;
  readonly max_bytes?: number;
}

export interface SinceQuery {
  readonly start_time: string;
  readonly next_by_subj: string;
  readonly batch: number;
}

export interface LastQuery {
  readonly multi_last: readonly string[];
  readonly seq?: number;
  /** Only a sequence that this stream's replicas have reported themselves: else 404 although the subject exists. */
  readonly up_to_seq?: number;
  readonly batch: number;
  readonly max_bytes?: number;
}

/** Up to the end marker. `pending`: matching messages after the last one, at the replica that answered. */
export interface BatchAnswer {
  readonly kind: 'batch';
  readonly events: readonly StoredEvent[];
  readonly pending: number;
  /** multi_last only: the answer is consistent as of this sequence. */
  readonly upTo: number;
}

export type DirectAnswer =
  | BatchAnswer
  /** 404: this replica holds no match. Says nothing about the stream. */
  | { readonly kind: 'none' }
  /** 413: multi_last matches more subjects than the server allows. */
  | { readonly kind: 'too_many' }
  /** A server before 2.11: one message, nothing about what follows. */
  | { readonly kind: 'single'; readonly event: StoredEvent };

interface Waiting {
  readonly stream: string;
  readonly isBatch: boolean;
  readonly events: StoredEvent[];
  heard: number;
  heardAtTimer: number;
  timer: TimerHandle | undefined;
  readonly resolve: (answer: DirectAnswer) => void;
  readonly reject: (error: GatewayError) => void;
}

/** Between two messages of an answer, not for all of it. */
const IDLE_TIMEOUT_MS = 5_000;

export class DirectGet {
  readonly #link: NatsLink;
  readonly #clock: Clock;
  readonly #mayExpire: ((subject: string) => boolean) | undefined;
  readonly #inbox: string;
  readonly #subscription: { unsubscribe(): void };
  readonly #waiting = new Map<string, Waiting>();
  readonly #header = new StoredHeader();
  readonly #stopListening: () => void;
  #counter = 0;

  constructor(link: NatsLink, clock: Clock, mayExpire?: (subject: string) => boolean) {
    this.#link = link;
    this.#clock = clock;
    this.#mayExpire = mayExpire;
    this.#inbox = link.newInbox();
    this.#subscription = link.subscribe(`${this.#inbox}.*`, (message) => this.#receive(message));
    this.#stopListening = link.onConnectionChange((isConnected) => {
      if (!isConnected) this.#failAll(new GatewayError('nats_disconnected', 'the connection to NATS is lost'));
    });
  }

  close(): void {
    this.#stopListening();
    this.#subscription.unsubscribe();
    this.#failAll(new GatewayError('nats_closed', 'cold reads are closed'));
  }

  mayExpire(subject: string): boolean {
    return this.#mayExpire?.(subject) === true;
  }

  /** Whether the server we are connected to knows batches; another server of a mixed cluster may still not. */
  get knowsBatches(): boolean {
    const [major = 0, minor = 0] = this.#link.serverVersion.split('.').map((part) => Number.parseInt(part, 10));
    return major > 2 || (major === 2 && minor >= 11);
  }

  batch(stream: string, query: RangeQuery | SinceQuery | LastQuery): Promise<DirectAnswer> {
    return this.#ask(stream, query, true);
  }

  /** One message: of a sequence, or the first of a subject from a sequence on. Undefined if this replica has none. */
  async single(
    stream: string,
    query: { readonly seq: number } | { readonly seq: number; readonly next_by_subj: string },
  ): Promise<StoredEvent | undefined> {
    const answer = await this.#ask(stream, query, false);
    return answer.kind === 'single' ? answer.event : undefined;
  }

  #ask(stream: string, query: object, isBatch: boolean): Promise<DirectAnswer> {
    if (!this.#link.isConnected) {
      return Promise.reject(new GatewayError('nats_disconnected', 'the connection to NATS is lost'));
    }
    this.#counter += 1;
    const token = this.#counter.toString(36);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(token);
        this.#clock.clear(waiting.timer);
      };
      const waiting: Waiting = {
        stream,
        isBatch,
        events: [],
        heard: 0,
        heardAtTimer: 0,
        timer: undefined,
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#waiting.set(token, waiting);
      this.#arm(waiting);
      this.#link.publish(`${API}.DIRECT.GET.${stream}`, JSON.stringify(query), `${this.#inbox}.${token}`);
    });
  }

  #arm(waiting: Waiting): void {
    waiting.timer = this.#clock.setTimeout(() => {
      if (waiting.heard > waiting.heardAtTimer) {
        waiting.heardAtTimer = waiting.heard;
        this.#arm(waiting);
        return;
      }
      const { stream } = waiting;
      waiting.reject(
        new GatewayError('nats_timeout', `no answer to a direct get of ${stream}`, { details: { stream } }),
      );
    }, IDLE_TIMEOUT_MS);
  }

  #receive(message: MessageLike): void {
    const { subject } = message;
    const waiting = this.#waiting.get(subject.slice(this.#inbox.length + 1));
    if (waiting === undefined) return; // given up on
    waiting.heard += 1;
    const payload = message.data;
    if (payload.length === 0) {
      const block = headerText(message);
      const status = statusOf(block);
      if (status !== 0) this.#end(waiting, status, block);
      else this.#add(waiting, headerBytes(message), payload, isDeleteMarker(block));
    } else this.#add(waiting, headerBytes(message), payload, false);
  }

  #add(waiting: Waiting, block: Uint8Array, payload: Uint8Array, isMarker: boolean): void {
    const header = this.#header;
    if (!header.read(block)) {
      waiting.reject(
        new GatewayError('nats_bad_answer', `a direct get of ${waiting.stream} answered without sequence`),
      );
      return;
    }
    const { sequence, timeMs, subject } = header;
    const event: StoredEvent = { sequence, timeMs, subject, payload, isMarker, ...this.#expiry(subject, block) };
    if (!waiting.isBatch || header.pending < 0) {
      waiting.resolve({ kind: 'single', event });
      return;
    }
    // Each message names the one before it: an answer is a core NATS message like any other and can be lost on its way.
    const previous = waiting.events.at(-1)?.sequence ?? 0;
    if (header.previous !== previous) {
      waiting.reject(incompleteError(waiting.stream));
      return;
    }
    waiting.events.push(event);
  }

  #expiry(subject: string, block: Uint8Array): Pick<StoredEvent, 'expiresAtMs'> | undefined {
    if (!this.mayExpire(subject)) return undefined;
    return { expiresAtMs: expiresHeader(Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1')) };
  }

  #end(waiting: Waiting, status: number, block: string): void {
    const { stream, events } = waiting;
    if (status === 204) {
      const last = events.at(-1)?.sequence ?? 0;
      const pending = numberHeader(block, 'Nats-Num-Pending');
      if (pending === undefined || (numberHeader(block, 'Nats-Last-Sequence') ?? 0) !== last) {
        waiting.reject(incompleteError(stream));
        return;
      }
      waiting.resolve({ kind: 'batch', events, pending, upTo: numberHeader(block, 'Nats-UpTo-Sequence') ?? 0 });
    } else if (status === 404) waiting.resolve({ kind: 'none' });
    else if (status === 413) waiting.resolve({ kind: 'too_many' });
    else if (status === 503) {
      waiting.reject(new GatewayError('nats_no_responders', `nobody answers direct gets of ${stream}`));
    } else {
      const details = { stream, status };
      waiting.reject(new GatewayError('nats_refused', `a direct get of ${stream} was refused`, { details }));
    }
  }

  #failAll(error: GatewayError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }
}

function incompleteError(stream: string): GatewayError {
  return new GatewayError('nats_bad_answer', `messages of a direct get of ${stream} are missing`);
}

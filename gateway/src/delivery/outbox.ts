// What one connection still has to send. Frames of one turn are joined into few WebSocket messages; what the socket
// cannot take is counted against a byte budget. Nothing is ever dropped from here: whoever finds no room falls behind
// and reads the log later. Events go past the budget by what was sent last; replies push past it, and past the hard limit
// the connection is closed.
import type { Connection } from '../transports/transport.ts';

/** Replies may exceed the budget by this factor before the peer counts as one that never reads. */
const HARD_LIMIT_FACTOR = 4;
/**
 * A client has nothing of a message before it has all of it: over a slow link that keeps breaking, larger ones would never
 * arrive. This is a second of a poor mobile connection.
 */
const MESSAGE_BYTES = 24 * 1024;

/** What all outboxes of a pod have handed to their sockets. */
export interface SentCounters {
  sentMessages: number;
  sentBytes: number;
}

export class Outbox {
  readonly #connection: Connection;
  readonly #budgetBytes: number;
  readonly #counters: SentCounters;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** The socket did not take everything: only then is it worth asking how much it holds. */
  #isCongested = false;
  /** By how much the last events went over the budget: they go out whole, but only while there is room. */
  #excessBytes = 0;

  constructor(connection: Connection, budgetBytes: number, counters: SentCounters) {
    this.#connection = connection;
    this.#budgetBytes = budgetBytes;
    this.#counters = counters;
  }

  /** Bytes that may still be added; zero or less while the socket is over its budget. */
  get roomBytes(): number {
    return this.#budgetBytes - this.#queuedBytes - this.bufferedBytes;
  }

  /** What the socket holds and has not sent. */
  get bufferedBytes(): number {
    return this.#isCongested ? this.#connection.bufferedBytes() : 0;
  }

  get isOverHardLimit(): boolean {
    return this.roomBytes + this.#excessBytes < -this.#budgetBytes * (HARD_LIMIT_FACTOR - 1);
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Adds a reply to what `flush` sends. */
  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Adds whole frames of events; `ends` are offsets between them at which they may be split. */
  pushEvents(bytes: Uint8Array, ends: readonly number[]): void {
    this.#queuedBytes += bytes.length;
    this.#noteExcess();
    if (bytes.length <= MESSAGE_BYTES) {
      this.#queue.push(bytes);
      return;
    }
    let start = 0;
    for (const end of ends) {
      this.#queue.push(bytes.subarray(start, end));
      start = end;
    }
    if (start < bytes.length) this.#queue.push(bytes.subarray(start));
  }

  flush(): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    let from = 0;
    let length = 0;
    for (const [at, { length: next }] of queue.entries()) {
      if (at > from && length + next > MESSAGE_BYTES) {
        this.#sendJoined(queue, from, at);
        from = at;
        length = 0;
      }
      length += next;
    }
    this.#sendJoined(queue, from, queue.length);
  }

  /** Sends a shared batch at once, or returns false if it does not fit. A lone batch always fits an idle socket. */
  trySend(bytes: Uint8Array): boolean {
    if (this.#queue.length > 0) this.flush();
    if (this.#isCongested && bytes.length > this.roomBytes) return false;
    this.#send(bytes);
    this.#noteExcess();
    return true;
  }

  /** The socket has sent something. */
  drained(): void {
    if (this.#connection.bufferedBytes() === 0) this.#isCongested = false;
  }

  #noteExcess(): void {
    this.#excessBytes = Math.max(0, -this.roomBytes);
  }

  #sendJoined(queue: readonly Uint8Array[], from: number, to: number): void {
    this.#send(to - from === 1 ? queue[from]! : Buffer.concat(queue.slice(from, to)));
  }

  #send(bytes: Uint8Array): void {
    this.#counters.sentMessages++;
    this.#counters.sentBytes += bytes.length;
    if (!this.#connection.send(bytes)) this.#isCongested = true;
  }
}

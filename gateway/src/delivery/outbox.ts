// What one connection still has to send. Frames of one turn are joined into one WebSocket message; what the socket
// cannot take is counted against a byte budget. Nothing is ever dropped from here: whoever finds no room falls behind
// and reads the log later. Only replies push past the budget, and past the hard limit the connection is closed.
import type { Connection } from '../transports/transport.ts';

/** Replies may exceed the budget by this factor before the peer counts as one that never reads. */
const HARD_LIMIT_FACTOR = 4;

export class Outbox {
  readonly #connection: Connection;
  readonly #budgetBytes: number;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** The socket did not take everything: only then is it worth asking how much it holds. */
  #isCongested = false;

  constructor(connection: Connection, budgetBytes: number) {
    this.#connection = connection;
    this.#budgetBytes = budgetBytes;
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
    return this.roomBytes < -this.#budgetBytes * (HARD_LIMIT_FACTOR - 1);
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Adds bytes to the message that `flush` sends. */
  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  flush(): void {
    if (this.#queue.length === 0) return;
    const message = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue, this.#queuedBytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#send(message);
  }

  /** Sends a shared batch at once, or returns false if it does not fit. A lone batch always fits an idle socket. */
  trySend(bytes: Uint8Array): boolean {
    if (this.#queue.length > 0) this.flush();
    if (this.#isCongested && bytes.length > this.roomBytes) return false;
    this.#send(bytes);
    return true;
  }

  /** The socket has sent something. */
  drained(): void {
    if (this.#connection.bufferedBytes() === 0) this.#isCongested = false;
  }

  #send(bytes: Uint8Array): void {
    if (!this.#connection.send(bytes)) this.#isCongested = true;
  }
}

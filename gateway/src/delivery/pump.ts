// Shares the process between sessions that are behind: each gets one turn, in order, and after a few milliseconds the
// event loop gets its own. Live delivery is never queued here.

export interface Pumped {
  /** One turn; true if there is more to do and the socket has room. Never throws. */
  turn(): boolean;
}

export interface PumpOptions {
  /** Monotonic milliseconds, with fractions. */
  readonly monotonicMs: () => number;
  /** Runs the callback after pending input has been read (setImmediate). */
  readonly defer: (callback: () => void) => void;
  readonly sliceMs: number;
}

export class Pump {
  readonly #options: PumpOptions;
  #queue: Pumped[] = [];
  readonly #queued = new Set<Pumped>();
  #isScheduled = false;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#queued.size;
  }

  request(pumped: Pumped): void {
    if (this.#queued.has(pumped)) return;
    this.#queued.add(pumped);
    this.#queue.push(pumped);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.defer(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const endMs = this.#options.monotonicMs() + this.#options.sliceMs;
    let at = 0;
    while (at < this.#queue.length && this.#options.monotonicMs() < endMs) {
      const pumped = this.#queue[at++]!;
      this.#queued.delete(pumped);
      // It may have asked for another turn itself.
      if (pumped.turn() && !this.#queued.has(pumped)) {
        this.#queued.add(pumped);
        this.#queue.push(pumped);
      }
    }
    this.#queue = this.#queue.slice(at);
    if (this.#queue.length > 0) this.#schedule();
  }
}

// Pure. Bounds what cold reads may take at once: reads per stream, bytes per pod, and how many may wait. Equal reads are
// one read.

export interface ReadBudgetOptions {
  readonly readsPerStream: number;
  readonly maxBytes: number;
  /** Reads of a stream that may wait for their turn; more are refused. */
  readonly maxWaiting: number;
}

interface Turn {
  /** Counts up over all streams: who came first. */
  readonly number: number;
  readonly bytes: number;
  readonly go: () => void;
}

export class ReadBudget {
  readonly #options: ReadBudgetOptions;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Turn[]>();
  readonly #shared = new Map<string, Promise<unknown>>();
  #bytes = 0;
  #turns = 0;

  constructor(options: ReadBudgetOptions) {
    this.#options = options;
  }

  get bytesInFlight(): number {
    return this.#bytes;
  }

  waiting(stream: string): number {
    return this.#waiting.get(stream)?.length ?? 0;
  }

  /** Runs `read` when its turn has come; undefined, at once, if too many wait. `read` may throw: the turn is given back. */
  async run<T>(stream: string, bytes: number, read: () => Promise<T>): Promise<T | undefined> {
    const wanted = Math.min(bytes, this.#options.maxBytes); // more could never run
    if (!this.#mayGo(stream, wanted)) {
      if (this.waiting(stream) >= this.#options.maxWaiting) return undefined;
      await this.#wait(stream, wanted);
    } else this.#take(stream, wanted);
    try {
      return await read();
    } finally {
      this.#giveBack(stream, wanted);
    }
  }

  /** The result of the equal read that is under way, or of this one. */
  share<T>(key: string, read: () => Promise<T>): Promise<T> {
    const existing = this.#shared.get(key);
    // Keys name their kind of read, so equal keys have equal types.
    if (existing !== undefined) return existing as Promise<T>;
    const started = read().finally(() => {
      this.#shared.delete(key);
    });
    this.#shared.set(key, started);
    return started;
  }

  /** At once: small reads that pass large ones which wait for bytes may leave them waiting for ever. */
  #mayGo(stream: string, bytes: number): boolean {
    return this.#isFree(stream) && this.#hasBytes(bytes) && this.waiting(stream) === 0 && this.#next() === undefined;
  }

  #isFree(stream: string): boolean {
    return (this.#running.get(stream) ?? 0) < this.#options.readsPerStream;
  }

  #hasBytes(bytes: number): boolean {
    return this.#bytes + bytes <= this.#options.maxBytes;
  }

  /** Of those whose stream may be read, who has waited longest: by the order of streams the last one might never come. */
  #next(): { readonly stream: string; readonly turn: Turn } | undefined {
    let next: { readonly stream: string; readonly turn: Turn } | undefined;
    for (const [stream, [turn]] of this.#waiting) {
      if (turn && this.#isFree(stream) && turn.number < (next?.turn.number ?? Number.POSITIVE_INFINITY))
        next = { stream, turn };
    }
    return next;
  }

  #take(stream: string, bytes: number): void {
    this.#running.set(stream, (this.#running.get(stream) ?? 0) + 1);
    this.#bytes += bytes;
  }

  #wait(stream: string, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      const turns = this.#waiting.get(stream) ?? [];
      this.#waiting.set(stream, turns);
      turns.push({
        number: this.#turns++,
        bytes,
        go: () => {
          this.#take(stream, bytes);
          resolve();
        },
      });
    });
  }

  #giveBack(stream: string, bytes: number): void {
    this.#bytes -= bytes;
    const running = (this.#running.get(stream) ?? 1) - 1;
    if (running > 0) this.#running.set(stream, running);
    else this.#running.delete(stream);
    // Bytes are the pod's: what this read gives back may be what another stream waits for.
    for (let next = this.#next(); next !== undefined && this.#hasBytes(next.turn.bytes); next = this.#next()) {
      const turns = this.#waiting.get(next.stream)!;
      turns.shift();
      if (turns.length === 0) this.#waiting.delete(next.stream);
      next.turn.go();
    }
  }
}

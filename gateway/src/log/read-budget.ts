// Pure. Bounds what cold reads may take at once: reads per stream, bytes per pod, and how many may wait. Equal reads are
// one read.

export interface ReadBudgetOptions {
  readonly readsPerStream: number;
  readonly maxBytes: number;
  /** Reads of a stream that may wait for their turn; more are refused. */
  readonly maxWaiting: number;
}

interface Turn {
  readonly bytes: number;
  readonly go: () => void;
}

export class ReadBudget {
  readonly #options: ReadBudgetOptions;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Turn[]>();
  readonly #shared = new Map<string, Promise<unknown>>();
  #bytes = 0;

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
    if (!this.#hasRoom(stream, wanted) || this.waiting(stream) > 0) {
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

  #hasRoom(stream: string, bytes: number): boolean {
    const running = this.#running.get(stream) ?? 0;
    return running < this.#options.readsPerStream && this.#bytes + bytes <= this.#options.maxBytes;
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
    for (const [name, turns] of this.#waiting) {
      for (let next = turns[0]; next !== undefined && this.#hasRoom(name, next.bytes); next = turns[0]) {
        turns.shift();
        next.go();
      }
      if (turns.length === 0) this.#waiting.delete(name);
    }
  }
}

// The window of publishes that are under way, bounded in count and in bytes; those beyond it wait in order. Pure.

export interface InFlightLimits {
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
  /** Callers that may wait for room. Awaiting each publish never comes near; a loop that does not await must end. */
  readonly maxWaiting: number;
}

interface Waiter {
  readonly bytes: number;
  readonly enter: () => void;
}

const STRIDE = 1_024;

export class InFlightWindow {
  readonly #limits: InFlightLimits;
  readonly #waiters: Waiter[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;
  #idle: (() => void)[] = [];

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#waiters.length - this.#head;
  }

  /** Room for one message: at once, after a wait, or `overloaded`. Every entry must be left by `leave`. */
  enter(bytes: number): Promise<void> | 'entered' | 'overloaded' {
    if (this.waiting === 0 && this.#hasRoom(bytes)) {
      this.#add(bytes);
      return 'entered';
    }
    if (this.waiting >= this.#limits.maxWaiting) return 'overloaded';
    return new Promise((enter) => this.#waiters.push({ bytes, enter }));
  }

  leave(bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
    while (this.waiting > 0 && this.#hasRoom(this.#waiters[this.#head]!.bytes)) {
      const waiter = this.#waiters[this.#head++]!;
      this.#add(waiter.bytes);
      waiter.enter();
    }
    // The queue's front is given back in strides: shifting one by one would move all others each time.
    if (this.#head === this.#waiters.length || this.#head >= STRIDE) {
      this.#waiters.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#count === 0 && this.waiting === 0) for (const settle of this.#idle.splice(0)) settle();
  }

  /** Resolves when nothing is in flight and nobody waits. */
  whenIdle(): Promise<void> {
    if (this.#count === 0 && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** A message larger than the byte limit goes alone: waiting would never end. */
  #hasRoom(bytes: number): boolean {
    if (this.#count >= this.#limits.maxInFlight) return false;
    return this.#count === 0 || this.#bytes + bytes <= this.#limits.maxInFlightBytes;
  }

  #add(bytes: number): void {
    this.#count++;
    this.#bytes += bytes;
  }
}

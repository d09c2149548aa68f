// Time that a test moves by hand. Has the shape of the Clock that the packages take, without any real timer.
interface TimerHandle {
  readonly kind: 'timer';
}

interface Timer extends TimerHandle {
  readonly callback: () => void;
  readonly periodMs: number | undefined;
  readonly order: number;
  dueMs: number;
}

export class ManualClock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    return this.#add(callback, delayMs, undefined);
  }

  setInterval(callback: () => void, periodMs: number): TimerHandle {
    // A period of 0 would never let `advance` end.
    return this.#add(callback, periodMs, Math.max(1, periodMs));
  }

  /** The same as the client package names it. */
  after(delayMs: number, callback: () => void): () => void {
    const timer = this.setTimeout(callback, delayMs);
    return () => this.clear(timer);
  }

  clear(timer: TimerHandle | undefined): void {
    if (timer !== undefined) this.#timers.delete(timer as Timer);
  }

  /** How many timers wait: a closed component must leave none. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on; due callbacks run at their own times, in order, also those that they set themselves. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      if (timer.periodMs === undefined) this.#timers.delete(timer);
      else timer.dueMs += timer.periodMs;
      timer.callback();
    }
    this.#nowMs = untilMs;
  }

  /** Like `advance`, and lets promises settle after each callback: for code that awaits between its timers. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.advance(Math.max(0, timer.dueMs - this.#nowMs));
      await settle();
    }
    this.#nowMs = untilMs;
  }

  #add(callback: () => void, delayMs: number, periodMs: number | undefined): Timer {
    this.#order += 1;
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const timer: Timer = { kind: 'timer', callback, periodMs, order: this.#order, dueMs };
    this.#timers.add(timer);
    return timer;
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

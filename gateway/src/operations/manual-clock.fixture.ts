// Time that a test moves by hand.
import type { Clock, TimerHandle } from './clock.ts';

interface Timer extends TimerHandle {
  readonly callback: () => void;
  readonly periodMs: number | undefined;
  dueMs: number;
}

export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #timers = new Set<Timer>();

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    return this.#add(callback, delayMs, undefined);
  }

  setInterval(callback: () => void, periodMs: number): TimerHandle {
    return this.#add(callback, periodMs, Math.max(1, periodMs));
  }

  clear(timer: TimerHandle | undefined): void {
    this.#timers.delete(timer as Timer);
  }

  /** Moves time on; what is due runs at its own time, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(untilMs); timer; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      if (timer.periodMs === undefined) this.#timers.delete(timer);
      else timer.dueMs += timer.periodMs;
      timer.callback();
    }
    this.#nowMs = untilMs;
  }

  /** The machine's clock is set back (ahead, if that is negative); timers, which count what passes, are not. */
  setBack(ms: number): void {
    this.#nowMs -= ms;
    for (const timer of this.#timers) timer.dueMs -= ms;
  }

  #add(callback: () => void, delayMs: number, periodMs: number | undefined): TimerHandle {
    const timer: Timer = { kind: 'timer', callback, periodMs, dueMs: this.#nowMs + Math.max(0, delayMs) };
    this.#timers.add(timer);
    return timer;
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.dueMs <= untilMs && !(first && first.dueMs <= timer.dueMs)) first = timer;
    return first;
  }
}

// Time, injected. Tests drive a manual clock; applications get the system's.

export interface Clock {
  /** Milliseconds of the wall clock: it goes on while a device sleeps, so that a long silence shows on waking. */
  now(): number;
  /** Runs `callback` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Timers hold 31 bits of milliseconds; a longer delay would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};

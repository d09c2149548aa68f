// Time, injected. Knows nothing else.

export interface Clock {
  /** Milliseconds since 1970, for what people and other machines read. */
  wallMs(): number;
  /** Milliseconds that never jump, for durations. */
  monotonicMs(): number;
  /** Runs once, later; the returned function calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after the delay, or at once when the signal aborts; never rejects. */
export const wait = (clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      callOff();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const callOff = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });

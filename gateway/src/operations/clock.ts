// Time, injected. Everything that waits or stamps takes a Clock, so that tests decide what time it is.

/** What a timer call hands back; only good for clearing it. */
export interface TimerHandle {
  readonly kind: 'timer';
}

/** Milliseconds since the epoch and timers. Timers of the system clock do not keep the process alive by themselves. */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  setInterval(callback: () => void, periodMs: number): TimerHandle;
  /** Ends a timeout or an interval; an ended or undefined one is ignored. */
  clear(timer: TimerHandle | undefined): void;
}

interface SystemTimer extends TimerHandle {
  readonly handle: NodeJS.Timeout;
}

const wrap = (handle: NodeJS.Timeout): SystemTimer => {
  handle.unref();
  return { kind: 'timer', handle };
};

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => wrap(setTimeout(callback, delayMs)),
  setInterval: (callback, periodMs) => wrap(setInterval(callback, periodMs)),
  clear: (timer) => {
    if (timer !== undefined) clearTimeout((timer as SystemTimer).handle);
  },
};

/** Resolves after delayMs on this clock. Not cancellable: for short waits inside a loop that checks why it goes on. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, delayMs);
  });
}

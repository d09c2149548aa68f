import type { Clock } from './clock.ts';

/** Time stands still until somebody waits: then it is what was waited for. */
export const jumpingClock = (startMs: number = Date.UTC(2026, 0, 1)): Clock & { nowMs: number } => {
  const clock = {
    nowMs: startMs,
    wallMs: () => clock.nowMs,
    monotonicMs: () => clock.nowMs,
    after: (delayMs: number, run: () => void) => {
      const timer = setImmediate(() => {
        clock.nowMs += delayMs;
        run();
      });
      return () => clearImmediate(timer);
    },
  };
  return clock;
};

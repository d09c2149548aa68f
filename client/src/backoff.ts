// How long to wait before the next attempt. Pure: randomness is an argument.

/** The schedule that the apps in the field promise; from the last entry on it stays there. */
export const BACKOFF_SCHEDULE_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;

/** A gateway may ask for patience, but not for more than this. */
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * Full jitter: anything from 0 to the scheduled delay, so that clients that were cut off together do not come back
 * together. `failures` counts from 1; `random` is in [0, 1). What the gateway asked for is waited out first.
 */
export const backoffMs = (
  failures: number,
  random: number,
  options: { readonly scheduleMs?: readonly number[]; readonly retryAfterMs?: number | undefined } = {},
): number => {
  const { scheduleMs = BACKOFF_SCHEDULE_MS, retryAfterMs = 0 } = options;
  const ceilingMs = scheduleMs[Math.min(Math.max(failures, 1), scheduleMs.length) - 1] ?? 0;
  return Math.min(Math.max(retryAfterMs, 0), MAX_RETRY_AFTER_MS) + random * ceilingMs;
};

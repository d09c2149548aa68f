// Units that options are given in.
export const KiB = 1_024;
export const MiB: number = 1_024 * KiB;
export const SECOND = 1_000;
export const MINUTE: number = 60 * SECOND;
export const HOUR: number = 60 * MINUTE;
/** Longer delays overflow the timers of Node. */
export const MAX_TIMER_MS = 0x7fff_ffff;

// The four boards and the time that each of them covers, in UTC. Pure.

export const PERIODS = ['daily', 'weekly', 'monthly', 'all-time'] as const;

export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** When the window that holds this time began: two times are in one window when this is equal. */
export const windowStart = (period: Period, timeMs: number): number => {
  switch (period) {
    case 'daily':
      return Math.floor(timeMs / DAY_MS) * DAY_MS;
    case 'weekly':
      return Math.floor((timeMs - FIRST_MONDAY_MS) / (7 * DAY_MS)) * 7 * DAY_MS + FIRST_MONDAY_MS;
    case 'monthly': {
      const date = new Date(timeMs);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
    }
    case 'all-time':
      return 0;
  }
};

export const isPeriod = (text: string): text is Period => (PERIODS as readonly string[]).includes(text);

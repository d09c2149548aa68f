// Reading from where a stream begins, which moves while one reads. Pure.
import type { ColdPage, ColdTruncated, StoredEvent } from '../log/cold.ts';

export interface RetainedPart {
  /** Everything at or below is retained no more, or was read before. */
  readonly before: number;
  readonly events: readonly StoredEvent[];
  /** Complete from `before` to here. */
  readonly through: number;
}

/** What was read after a cursor of that which is still retained, for those who are owed nothing else. */
export const retained = (read: ColdPage | ColdTruncated, after: number): RetainedPart => {
  if (read.kind === 'page') return { before: after, events: read.events, through: read.through };
  const before = read.firstSequence - 1;
  const { events, through } = read.page;
  return { before, events: events.filter(({ sequence }) => sequence > before), through: Math.max(before, through) };
};

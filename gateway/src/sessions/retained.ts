// Reading from where a stream begins, which moves while one reads.
import type { ChannelStream } from '../delivery/live-channel.ts';
import type { Cold, ColdPage, ColdReadRequest, ColdRetry, ColdTruncated, StoredEvent } from '../log/cold.ts';

export interface RetainedPart {
  /** Everything at or below is retained no more, or was read before. */
  readonly before: number;
  readonly events: readonly StoredEvent[];
  /** Complete from `before` to here. */
  readonly through: number;
}

/** Pure. What was read after a cursor of that which is still retained, for those who are owed nothing else. */
export const retained = (read: ColdPage | ColdTruncated, after: number): RetainedPart => {
  if (read.kind === 'page') return { before: after, events: read.events, through: read.through };
  const before = read.firstSequence - 1;
  const { events, through } = read.page;
  return { before, events: events.filter(({ sequence }) => sequence > before), through: Math.max(before, through) };
};

/** Reads on from a cursor to the tail's start, page by page; where that is, or why it could not be reached. */
export const readToTail = async (
  { tail, filters }: ChannelStream,
  from: number,
  cold: Cold,
  limits: Pick<ColdReadRequest, 'maxEvents' | 'maxBytes'>,
  take: (events: readonly StoredEvent[]) => void,
): Promise<{ readonly kind: 'reached'; readonly after: number } | ColdRetry> => {
  let after = from;
  while (after < tail.firstSequence - 1) {
    // oxlint-disable-next-line no-await-in-loop -- pages follow each other
    const page = await cold.read({ stream: tail.stream, filters, after, tail, ...limits });
    if (page.kind === 'retry') return page;
    const part = retained(page, after);
    take(part.events);
    after = part.through;
  }
  return { kind: 'reached', after };
};

// Pure. Merges what several filters of a stream returned into one page that is complete through one sequence.

import type { ColdPage, StoredEvent } from './cold-contract.ts';

/** Ascending events of one filter, complete through a sequence. */
export interface FilterPage {
  readonly events: readonly StoredEvent[];
  readonly through: number;
}

export interface PageLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/**
 * The merged page reaches as far as the filter that reaches least far, and less if the limits end it earlier (it always
 * holds at least one event if there is any). Filters may overlap: an event appears once. Markers move the page but are no
 * events of it.
 */
export function mergePages(pages: readonly FilterPage[], limits: PageLimits): ColdPage {
  const horizon = pages.reduce((least, page) => Math.min(least, page.through), Number.POSITIVE_INFINITY);
  const sorted = pages.flatMap((page) => page.events.filter((event) => event.sequence <= horizon));
  sorted.sort((a, b) => a.sequence - b.sequence);
  const events: StoredEvent[] = [];
  let bytes = 0;
  let last = 0;
  for (const event of sorted) {
    if (event.sequence === last) continue;
    const isFull = events.length >= limits.maxEvents || bytes + event.payload.length > limits.maxBytes;
    if (isFull && events.length > 0) return { kind: 'page', events, through: last };
    last = event.sequence;
    if (event.isMarker) continue;
    events.push(event);
    bytes += event.payload.length;
  }
  return { kind: 'page', events, through: horizon };
}

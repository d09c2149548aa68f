// One filter of one stream, from a cursor towards the tail: reads a page and says how far it is proven complete. An
// answer that ended cleanly says nothing about the age of the replica that gave it, so what reaches the tail is proven by
// an event that the tail holds too, or by the leader, asked afterwards.

import type { StoredEvent, TailView } from './cold-contract.ts';
import type { DirectGet } from './direct-get.ts';
import { askApi, asObject, number, readFromLeader } from './jetstream-api.ts';
import type { StoredMessage } from './jetstream-api.ts';
import type { NatsLink } from './nats.ts';
import { mergePages } from './page-merge.ts';
import type { FilterPage, PageLimits } from './page-merge.ts';

export interface RangeRequest {
  readonly stream: string;
  readonly filter: string;
  readonly after: number;
  readonly limits: PageLimits;
  /** Where the tail began, and its first match of the filter, before anything was asked. */
  readonly tailFirst: number;
  readonly tailMatch: { readonly sequence: number; readonly timeMs: number } | undefined;
  /** There is a better way than a long walk by the server: answer `dense` instead. */
  readonly avoidsWalks: boolean;
}

/**
 * `stale`: the replica lacks events that the stream holds; ask again. `dense`: a page would take a walk over many
 * messages, which holds up publishers of the stream for as long (0.1 s and more over a million).
 */
export type RangeResult = FilterPage | 'stale' | 'dense';

const LEADER_TIMEOUT_MS = 2_000;
/** Below this many messages a wildcard costs a few milliseconds at most; above it its subjects are looked up first. */
const RESOLVE_SPAN = 20_000;
const RESOLVE_SUBJECTS = 16;
const RESOLVE_BYTES = 64 * 1024;
/** Servers before 2.11 answer one message at a time. */
const MAX_SINGLE_READS = 64;

export class RangeReader {
  readonly #direct: DirectGet;
  readonly #link: NatsLink;

  constructor(direct: DirectGet, link: NatsLink) {
    this.#direct = direct;
    this.#link = link;
  }

  async read(request: RangeRequest): Promise<RangeResult> {
    if (!this.#direct.knowsBatches) return this.#readSingles(request, []);
    if (request.filter !== '>' && request.tailFirst - request.after > RESOLVE_SPAN) {
      const page = await this.#readSubjects(request);
      if (page !== undefined) return page;
      if (request.avoidsWalks) return 'dense';
    }
    const { stream, filter, after, limits } = request;
    const answer = await this.#direct.batch(stream, {
      seq: after + 1,
      next_by_subj: filter,
      batch: limits.maxEvents,
      max_bytes: limits.maxBytes,
    });
    if (answer.kind === 'single') return this.#readSingles(request, [answer.event]);
    if (answer.kind === 'batch' && answer.pending > 0) {
      const last = answer.events.at(-1);
      // A replica's store is a beginning of the log: what it returned is complete through its last event.
      return last === undefined ? 'stale' : { events: answer.events, through: last.sequence };
    }
    return this.#prove(request, answer.kind === 'batch' ? answer.events : []);
  }

  async #readSingles(request: RangeRequest, first: readonly StoredEvent[]): Promise<RangeResult> {
    const { stream, filter, after, limits, tailFirst } = request;
    const events = [...first];
    let bytes = 0;
    while (events.length < Math.min(limits.maxEvents, MAX_SINGLE_READS) && bytes < limits.maxBytes) {
      const from = events.at(-1)?.sequence ?? after;
      // oxlint-disable-next-line no-await-in-loop -- each read starts where the one before it ended
      const event = await this.#direct.single(stream, { seq: from + 1, next_by_subj: filter });
      if (event === undefined) return this.#prove(request, events);
      events.push(event);
      bytes += event.payload.length;
      if (event.sequence >= tailFirst) break;
    }
    return { events, through: events.at(-1)?.sequence ?? after };
  }

  /**
   * A wildcard that matches next to nothing makes the server look at every message of the span (144 ms over 460,000
   * messages, where the literal subject takes 4.6). `multi_last` names the subjects with something new in under 2 ms.
   * Undefined if there are too many of them or they hold more than a page: then one walk is cheaper than several.
   */
  async #readSubjects(request: RangeRequest): Promise<RangeResult | undefined> {
    const { stream, filter, after, limits, tailFirst } = request;
    const newest = await this.#direct.batch(stream, {
      multi_last: [filter],
      seq: after + 1,
      batch: RESOLVE_SUBJECTS,
      max_bytes: RESOLVE_BYTES,
    });
    if (newest.kind === 'none') return this.#prove(request, []);
    if (newest.kind !== 'batch' || newest.pending > 0) return undefined;
    const { upTo } = newest;
    if (newest.events.length > 0 && (await this.#countEvents(stream, filter)) > limits.maxEvents) return undefined;

    const pages = await Promise.all(
      newest.events.map((event) => this.#readSubject(stream, event, after, limits, upTo)),
    );
    const complete: FilterPage[] = [];
    for (const page of pages) {
      if (page === undefined) return 'stale';
      complete.push(page);
    }
    const merged = mergePages([...complete, { events: [], through: upTo }], limits);
    // Each subject was read at least as far as the replica that reported upTo had it, so upTo holds for the page.
    if (merged.through < upTo || upTo >= tailFirst - 1) return merged;
    return this.#prove(request, merged.events);
  }

  async #readSubject(
    stream: string,
    newest: StoredEvent,
    after: number,
    limits: PageLimits,
    upTo: number,
  ): Promise<FilterPage | undefined> {
    const answer = await this.#direct.batch(stream, {
      seq: after + 1,
      next_by_subj: newest.subject,
      batch: limits.maxEvents,
      max_bytes: limits.maxBytes,
    });
    const last = answer.kind === 'batch' ? answer.events.at(-1) : undefined;
    if (answer.kind !== 'batch' || last === undefined) return undefined;
    if (answer.pending > 0) return { events: answer.events, through: last.sequence };
    return last.sequence >= newest.sequence
      ? { events: answer.events, through: Math.max(upTo, last.sequence) }
      : undefined;
  }

  async #countEvents(stream: string, filter: string): Promise<number> {
    const info = await askApi(this.#link, `STREAM.INFO.${stream}`, { subjects_filter: filter }, LEADER_TIMEOUT_MS);
    const subjects = asObject(asObject(info['state'])?.['subjects']) ?? {};
    return Object.values(subjects).reduce<number>((sum, count) => sum + number(count), 0);
  }

  /** For events that, as far as one replica knows, are all there are from the cursor on. */
  async #prove(request: RangeRequest, events: readonly StoredEvent[]): Promise<RangeResult> {
    const { after, tailFirst, tailMatch } = request;
    const last = events.at(-1)?.sequence ?? after;
    const shared = tailMatch && events.find((event) => event.sequence === tailMatch.sequence);
    if (tailMatch && shared && shared.timeMs !== tailMatch.timeMs) return 'stale'; // of a store that was rolled back
    if (last >= tailFirst) return { events, through: last };

    const joined = { events, through: tailFirst - 1 };
    // The server answers the last message of `>` by the last sequence, which may be deleted: 404 proves nothing then.
    if (request.filter !== '>') {
      const newest = await this.#leader(request, { last_by_subj: request.filter });
      if (newest === undefined || newest.sequence <= last) return joined;
      if (newest.sequence < tailFirst) return 'stale';
      // The newest lies in the tail and says nothing about what lies between.
    }
    const next = await this.#leader(request, { seq: last + 1, next_by_subj: request.filter });
    return next === undefined || next.sequence >= tailFirst ? joined : 'stale';
  }

  #leader(
    { stream }: RangeRequest,
    query: { readonly last_by_subj: string } | { readonly seq: number; readonly next_by_subj: string },
  ): Promise<StoredMessage | undefined> {
    return readFromLeader(this.#link, stream, query, LEADER_TIMEOUT_MS);
  }
}

/** What the tail says about a filter before a read; see RangeRequest. */
export function tailWitness(
  tail: TailView,
  filter: string,
  after: number,
): Pick<RangeRequest, 'tailFirst' | 'tailMatch'> {
  const tailFirst = tail.firstSequence;
  return { tailFirst, tailMatch: tail.firstMatch([filter], Math.max(after, tailFirst - 1)) };
}

// First events of kind `states`: the newest event of each subject, consistent as of one sequence.

import type { StatesRequest, StatesResult, StoredEvent } from './cold-contract.ts';
import type { DirectGet } from './direct-get.ts';
import { askApi, asObject, readFromLeader } from './jetstream-api.ts';
import { expiresHeader, isDeleteMarker } from './message-bytes.ts';
import type { NatsLink } from './nats.ts';
import { Newest } from './newest.ts';
import type { Retention } from './retention.ts';

/** What the server allows multi_last to match, counted before any lower bound: above it answers 413. */
const MAX_SUBJECTS = 1_024;
const PAGE_EVENTS = 256;
const PAGE_BYTES = 512 * 1024;
const LEADER_TIMEOUT_MS = 2_000;
/** Parallel reads of the leader, for servers before 2.11 only. */
const LEADER_READS = 16;

export type Snapshot = Exclude<StatesResult, { readonly kind: 'retry' }> | 'stale';

export class Snapshots {
  readonly #direct: DirectGet;
  readonly #link: NatsLink;
  readonly #retention: Retention;

  constructor(direct: DirectGet, link: NatsLink, retention: Retention) {
    this.#direct = direct;
    this.#link = link;
    this.#retention = retention;
  }

  async read(request: StatesRequest): Promise<Snapshot> {
    if (!this.#direct.knowsBatches) return this.#readBySubject(request);
    const { stream, filters, tail, maxStates } = request;
    // Noted before anything is asked: if the leader then has nothing, there is nothing at or below it.
    const head = tail.head;
    const newest = new Newest(maxStates);
    let upTo = 0;
    for (let from = 1; ;) {
      // oxlint-disable-next-line no-await-in-loop -- pages follow each other
      const answer = await this.#direct.batch(stream, {
        multi_last: filters,
        batch: PAGE_EVENTS,
        max_bytes: PAGE_BYTES,
        ...(from > 1 ? { seq: from, up_to_seq: upTo } : {}),
      });
      if (answer.kind === 'too_many') return { kind: 'too_large' };
      if (answer.kind === 'single') return this.#readBySubject(request);
      if (answer.kind === 'none') return from > 1 ? 'stale' : this.#confirmEmpty(stream, filters, head);
      upTo = from > 1 ? upTo : answer.upTo;
      // Oldest first: only the newest are wanted, and only they are held.
      for (const event of answer.events) if (!event.isMarker) newest.add(event);
      const last = answer.events.at(-1);
      if (answer.pending === 0) return { kind: 'states', events: newest.events, through: upTo };
      if (last === undefined) return 'stale';
      from = last.sequence + 1;
    }
  }

  /** A 404 proves nothing: the replica may lag. */
  async #confirmEmpty(stream: string, filters: readonly string[], head: number): Promise<Snapshot> {
    const newest = await Promise.all(
      filters.map((filter) => readFromLeader(this.#link, stream, { last_by_subj: filter }, LEADER_TIMEOUT_MS)),
    );
    return newest.every((message) => message === undefined) ? { kind: 'states', events: [], through: head } : 'stale';
  }

  /**
   * Before 2.11: the leader's last event of each subject. They are read one by one, so those stored after the first
   * reading of the stream are left to the cursor, which starts there: it brings a newer one of the same subject.
   */
  async #readBySubject({ stream, filters, maxStates }: StatesRequest): Promise<Snapshot> {
    const { lastSequence } = await this.#retention.readFromLeader(stream);
    const subjects = new Set<string>();
    for (const filter of filters) {
      // oxlint-disable-next-line no-await-in-loop -- few filters, and each answer may be large
      const info = await askApi(this.#link, `STREAM.INFO.${stream}`, { subjects_filter: filter }, LEADER_TIMEOUT_MS);
      for (const subject of Object.keys(asObject(asObject(info['state'])?.['subjects']) ?? {})) subjects.add(subject);
      if (subjects.size > MAX_SUBJECTS) return { kind: 'too_large' };
    }
    const names = [...subjects];
    const events: StoredEvent[] = [];
    const readNext = async (): Promise<void> => {
      for (let subject = names.pop(); subject !== undefined; subject = names.pop()) {
        // oxlint-disable-next-line no-await-in-loop -- a fixed number of these loops run side by side
        const message = await readFromLeader(this.#link, stream, { last_by_subj: subject }, LEADER_TIMEOUT_MS);
        if (message === undefined || message.sequence > lastSequence) continue;
        const { sequence, timeMs, payload, headers } = message;
        if (payload.length === 0 && isDeleteMarker(headers)) continue;
        const expiresAtMs = this.#direct.mayExpire(subject) ? expiresHeader(headers) : undefined;
        events.push({ sequence, timeMs, subject: message.subject, payload, isMarker: false, expiresAtMs });
      }
    };
    await Promise.all(Array.from({ length: LEADER_READS }, readNext));
    events.sort((a, b) => a.sequence - b.sequence);
    const newest = new Newest(maxStates);
    for (const event of events) newest.add(event);
    return { kind: 'states', events: newest.events, through: lastSequence };
  }
}

// Finds places in a stream without reading what lies between: the last N, a time, the neighbours of a sequence. A log
// cannot be read backwards, so these go by counting or by halving.

import type { StoredAt, StoredEvent } from './cold-contract.ts';
import type { DirectGet } from './direct-get.ts';
import { readFromLeader } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import type { NatsLink } from './nats.ts';

const LEADER_TIMEOUT_MS = 2_000;
const FIRST_STEP = 256;
/** A cursor this many events too early is good enough: whoever reads from it trims. */
const SLACK_EVENTS = 256;

export class Probe {
  readonly #direct: DirectGet;
  readonly #link: NatsLink;

  constructor(direct: DirectGet, link: NatsLink) {
    this.#direct = direct;
    this.#link = link;
  }

  /** Cursor with at least `count` matching events after it, or all there are, but not many more. */
  async lastN(stream: string, filters: readonly string[], count: number, reading: StreamReading): Promise<number> {
    const { firstSequence, lastSequence } = reading;
    let enough = firstSequence; // a start that has enough events behind it, or all
    let tooFew = lastSequence + 1;
    for (let step = FIRST_STEP; tooFew > firstSequence; step *= 2) {
      const from = Math.max(firstSequence, lastSequence - step + 1);
      // oxlint-disable-next-line no-await-in-loop -- each step depends on what the one before found
      const found = await this.#count(stream, filters, from, count);
      if (found >= count || from === firstSequence) {
        enough = from;
        if (found <= count + SLACK_EVENTS) return enough - 1;
        break;
      }
      tooFew = from;
    }
    while (tooFew - enough > 1) {
      const middle = Math.floor((enough + tooFew) / 2);
      // oxlint-disable-next-line no-await-in-loop -- see above
      const found = await this.#count(stream, filters, middle, count);
      if (found >= count) enough = middle;
      else tooFew = middle;
      if (found >= count && found <= count + SLACK_EVENTS) break;
    }
    return enough - 1;
  }

  /** Matching events from a sequence on; before 2.11 nothing is counted for us, so no more than `enough` are. */
  async #count(stream: string, filters: readonly string[], from: number, enough: number): Promise<number> {
    const counts = await Promise.all(
      filters.map(async (filter) => {
        if (!this.#direct.knowsBatches) return this.#countSingles(stream, filter, from, enough);
        const answer = await this.#direct.batch(stream, { seq: from, next_by_subj: filter, batch: 1 });
        if (answer.kind === 'batch') return answer.events.length + answer.pending;
        return answer.kind === 'single' ? this.#countSingles(stream, filter, from, enough) : 0;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #countSingles(stream: string, filter: string, from: number, enough: number): Promise<number> {
    let count = 0;
    for (let sequence = from; count < enough; count += 1) {
      // oxlint-disable-next-line no-await-in-loop -- each read starts where the one before it ended
      const event = await this.#direct.single(stream, { seq: sequence, next_by_subj: filter });
      if (event === undefined) break;
      sequence = event.sequence + 1;
    }
    return count;
  }

  /** Cursor before the first message stored at or after a time of the server. */
  async since(stream: string, startTimeMs: number, reading: StreamReading): Promise<number> {
    if (this.#direct.knowsBatches) {
      const query = { start_time: new Date(startTimeMs).toISOString(), next_by_subj: '>', batch: 1 };
      const answer = await this.#direct.batch(stream, query);
      if (answer.kind === 'batch' && answer.events[0] !== undefined) return answer.events[0].sequence - 1;
    }
    // Nothing at that replica, which may lag, or a server that cannot start at a time.
    let before = Math.max(1, reading.firstSequence); // everything below is older; an empty new stream says 0
    let end = reading.lastSequence + 1;
    while (before < end) {
      const middle = Math.floor((before + end) / 2);
      // oxlint-disable-next-line no-await-in-loop -- halving
      const message = await this.#next(stream, middle);
      if (message === undefined || message.timeMs >= startTimeMs) end = middle;
      else before = message.sequence + 1;
    }
    return before - 1;
  }

  async event(stream: string, sequence: number): Promise<StoredAt | undefined> {
    const event: StoredEvent | undefined = await this.#direct.single(stream, { seq: sequence });
    if (event !== undefined) return { sequence, timeMs: event.timeMs };
    const stored = await readFromLeader(this.#link, stream, { seq: sequence }, LEADER_TIMEOUT_MS);
    return stored && { sequence, timeMs: stored.timeMs };
  }

  async above(stream: string, sequence: number): Promise<StoredAt | undefined> {
    return await this.#next(stream, sequence + 1);
  }

  /** Nearest stored message below a sequence. */
  async below(stream: string, sequence: number, reading: StreamReading): Promise<StoredAt | undefined> {
    let best: StoredAt | undefined;
    let low = reading.firstSequence;
    let high = Math.min(sequence, reading.lastSequence + 1); // nothing in [high, sequence) is stored
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      // oxlint-disable-next-line no-await-in-loop -- halving
      const message = await this.#next(stream, middle);
      if (message === undefined || message.sequence >= sequence) high = middle;
      else {
        best = message;
        low = message.sequence + 1;
      }
    }
    return best;
  }

  async #next(stream: string, sequence: number): Promise<StoredAt | undefined> {
    const query = { seq: sequence, next_by_subj: '>' };
    const message = await readFromLeader(this.#link, stream, query, LEADER_TIMEOUT_MS);
    return message && { sequence: message.sequence, timeMs: message.timeMs };
  }
}

// The newest part of one stream: contiguous, bounded, in memory; and the memory that all tails of a pod share. Pure.
// Everybody who is not live reads here; only what lies before `firstSequence` is asked of JetStream.
import { Segment, type FiltersOf } from './segment.ts';

/** An event by where it lies. Cursors are sequences, never these: a segment may be evicted between two turns. */
export interface EventRef {
  readonly segment: Segment;
  readonly number: number;
}

export interface TailRead {
  readonly events: readonly EventRef[];
  /** Everything up to this sequence has been looked at. */
  readonly through: number;
}

/**
 * Reads end at a multiple of this many events once they are large enough, so that readers who started at different
 * cursors soon ask for the same chunks and share them.
 */
const PAGE_EVENTS = 256;

export class Tail {
  readonly stream: string;
  /** Which incarnation of the stream the sequences belong to; '' before the reader has begun. */
  epoch = '';
  /** Counts begins: cached chunks of an earlier one are void. */
  generation = 0;
  /** The tail is complete from here on: every stored event from this sequence to `head` is held. */
  firstSequence = 1;
  /** Last sequence known to be stored, event or not. */
  head = 0;
  headTimeMs = 0;
  #segments: Segment[] = [];
  readonly #filtersOf: FiltersOf;
  readonly #memory: TailMemory;

  constructor(stream: string, filtersOf: FiltersOf, memory: TailMemory) {
    this.stream = stream;
    this.#filtersOf = filtersOf;
    this.#memory = memory;
    memory.add(this);
  }

  get byteLength(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.byteLength, 0);
  }

  get eventCount(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.count, 0);
  }

  get oldestTimeMs(): number {
    return this.#segments[0]?.timesMs[0] ?? Number.POSITIVE_INFINITY;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** A new generation: what was held is void. */
  begin(epoch: string, firstSequence: number): void {
    this.epoch = epoch;
    this.generation++;
    this.#segments = [];
    this.firstSequence = firstSequence;
    this.head = firstSequence - 1;
    this.headTimeMs = 0;
  }

  /** The event is the newest one of the segment that is returned. */
  append(sequence: number, timeMs: number, subject: string, payload: Uint8Array, expiresAtMs?: number): Segment {
    let segment = this.#segments.at(-1);
    if (!segment || segment.isFull) {
      segment?.seal();
      segment = new Segment();
      this.#segments.push(segment);
      this.#memory.reclaim();
    }
    segment.append(sequence, timeMs, subject, payload, expiresAtMs);
    this.head = sequence;
    this.headTimeMs = timeMs;
    return segment;
  }

  /** A stored message that is no event (a delete marker): moves the head only. */
  skip(sequence: number, timeMs: number): void {
    this.head = sequence;
    this.headTimeMs = timeMs;
  }

  /** Events of the filters after a cursor (which must not lie before `firstSequence - 1`), about `maxBytes` of them. */
  read(filters: readonly string[], after: number, maxBytes: number): TailRead {
    const events: EventRef[] = [];
    let bytes = 0;
    for (let at = this.#segmentAfter(after); at < this.#segments.length; at++) {
      const segment = this.#segments[at]!;
      let from = segment.numberAfter(after);
      while (from < segment.count) {
        const until = Math.min(segment.count, from - (from % PAGE_EVENTS) + PAGE_EVENTS);
        for (const number of segment.numbersOf(filters, from, until, this.#filtersOf)) {
          events.push({ segment, number });
          bytes += segment.offsets[number + 1]! - segment.offsets[number]!;
          if (bytes >= 2 * maxBytes) return { events, through: segment.sequences[number]! };
        }
        from = until;
        if (bytes >= maxBytes) return { events, through: segment.sequences[until - 1]! };
      }
    }
    return { events, through: this.head };
  }

  /** First event of the filters after a cursor. */
  firstMatch(filters: readonly string[], after: number): { sequence: number; timeMs: number } | undefined {
    for (let at = this.#segmentAfter(after); at < this.#segments.length; at++) {
      const segment = this.#segments[at]!;
      const [number] = segment.numbersOf(filters, segment.numberAfter(after), segment.count, this.#filtersOf);
      if (number !== undefined) return { sequence: segment.sequences[number]!, timeMs: segment.timesMs[number]! };
    }
    return undefined;
  }

  /** Store time of the event with this sequence; undefined where no event of that sequence is held. */
  timeOf(sequence: number): number | undefined {
    const segment = this.#segments[this.#segmentAfter(sequence - 1)];
    const number = segment ? segment.numberOf(sequence) : -1;
    return number < 0 ? undefined : segment!.timesMs[number];
  }

  newestBelow(sequence: number): { sequence: number; timeMs: number } | undefined {
    for (let at = this.#segments.length - 1; at >= 0; at--) {
      const segment = this.#segments[at]!;
      const number = segment.numberAfter(sequence - 1) - 1;
      if (number >= 0) return { sequence: segment.sequences[number]!, timeMs: segment.timesMs[number]! };
    }
    return undefined;
  }

  /** Gives up the oldest segment; never the one that is being filled. */
  evictOldest(): void {
    if (this.#segments.length < 2) return;
    const evicted = this.#segments.shift()!;
    this.firstSequence = evicted.lastSequence + 1;
  }

  /** Index of the first segment that may hold an event after `sequence`. */
  #segmentAfter(sequence: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.lastSequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One byte budget for all tails of a pod: the oldest segment of any of them goes first. */
export class TailMemory {
  readonly maxBytes: number;
  readonly #tails: Tail[] = [];

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get byteLength(): number {
    return this.#tails.reduce((sum, tail) => sum + tail.byteLength, 0);
  }

  add(tail: Tail): void {
    this.#tails.push(tail);
  }

  /** Called when a segment is added: at most one segment per tail is ever over the budget. */
  reclaim(): void {
    let excess = this.byteLength - this.maxBytes;
    while (excess > 0) {
      const evictable = this.#tails.filter((tail) => tail.segmentCount > 1);
      if (evictable.length === 0) return;
      const oldest = evictable.reduce((a, b) => (b.oldestTimeMs < a.oldestTimeMs ? b : a));
      const before = oldest.byteLength;
      oldest.evictOldest();
      excess -= before - oldest.byteLength;
    }
  }
}

// Many cold reads of one stream at once. Each by itself makes the server walk the log from its own cursor (40 to 150 ms
// for a page out of 250,000 messages); here the span they all need is read once, unfiltered (3 us a message), and they
// ride along. Chunks are segments, so their index is the one the tail uses.
//
// A lift: it goes up from chunk to chunk as long as somebody waits above, then starts again at the lowest. Riders below
// it wait for the next round instead of pulling it back, so nobody starves and a chunk is read once a round.

import type { Clock } from '../operations/clock.ts';
import type { ColdPage, ColdReadRequest, StoredEvent } from './cold-contract.ts';
import type { DirectGet } from './direct-get.ts';
import { copyOf } from './message-bytes.ts';
import { Segment } from './segment.ts';
import type { FiltersOf } from './segment.ts';

export interface SpanOptions {
  readonly direct: DirectGet;
  readonly clock: Clock;
  readonly filtersOf: FiltersOf;
  /** Bytes of chunks kept, and of pages being filled, each. */
  readonly maxBytes: number;
}

type Ride = Pick<ColdReadRequest, 'stream' | 'filters' | 'after' | 'tail' | 'maxEvents' | 'maxBytes'>;

interface Rider {
  readonly ride: Ride;
  readonly events: StoredEvent[];
  bytes: number;
  /** Everything below has been looked at. */
  next: number;
  readonly startedMs: number;
  readonly settle: (result: ColdPage | 'stale') => void;
  readonly fail: (error: unknown) => void;
}

/** Events of [start, through], markers left out, complete. */
interface Chunk {
  readonly start: number;
  readonly through: number;
  readonly segment: Segment;
  bytes: number;
}

interface Lift {
  readonly riders: Set<Rider>;
  /** By start, least recently used first. */
  readonly chunks: Map<number, Chunk>;
  /** The chunk after the one that is being served, on its way. */
  ahead: { readonly start: number; readonly chunk: Promise<Chunk | 'stale'> } | undefined;
  generation: number | undefined;
  chunkBytes: number;
  pageBytes: number;
  /** The lift does not go below this until it has been at the top. */
  floor: number;
  readonly startedMs: number;
}

const CHUNK_EVENTS = 4_096;
const CHUNK_BYTES = 2 * 1024 * 1024;
const BATCH_EVENTS = 1_024;
const BATCH_BYTES = 512 * 1024;
/** A rider with something to show does not wait longer than this. */
const MAX_RIDE_MS = 2_000;
const GATHER_MS = 1_000;

export class SpanReader {
  readonly #options: SpanOptions;
  readonly #lifts = new Map<string, Lift>();

  constructor(options: SpanOptions) {
    this.#options = options;
  }

  /** How many are riding over a stream. */
  riders(stream: string): number {
    return this.#lifts.get(stream)?.riders.size ?? 0;
  }

  /**
   * A page like that of a filtered read; retention is the caller's to check. The filters must be ones that filtersOf
   * yields. Throws what direct gets throw.
   */
  read(ride: Ride): Promise<ColdPage | 'stale'> {
    return new Promise((resolve, reject) => {
      const rider: Rider = {
        ride,
        events: [],
        bytes: 0,
        next: ride.after + 1,
        startedMs: this.#options.clock.now(),
        settle: resolve,
        fail: reject,
      };
      const running = this.#lifts.get(ride.stream);
      if (running !== undefined) {
        running.riders.add(rider);
        return;
      }
      const lift: Lift = {
        riders: new Set([rider]),
        chunks: new Map(),
        ahead: undefined,
        generation: undefined,
        chunkBytes: 0,
        pageBytes: 0,
        floor: 0,
        startedMs: rider.startedMs,
      };
      this.#lifts.set(ride.stream, lift);
      void this.#run(ride.stream, lift);
    });
  }

  /** Until nobody rides any more; then the chunks go too: an idle lift holds nothing. */
  async #run(stream: string, lift: Lift): Promise<void> {
    for (let next = nextStop(lift); next !== undefined; next = nextStop(lift)) {
      // Storms take a moment to gather: until then the lift waits for whoever comes in lowest.
      lift.floor = this.#options.clock.now() - lift.startedMs < GATHER_MS ? 0 : next;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one chunk at a time is the point
        const chunk = await this.#chunkAt(stream, lift, next);
        this.#serve(lift, next, chunk);
      } catch (error) {
        for (const rider of lift.riders) rider.fail(error);
        lift.riders.clear();
      }
    }
    this.#lifts.delete(stream);
  }

  async #chunkAt(stream: string, lift: Lift, next: number): Promise<Chunk | 'stale'> {
    const [rider] = lift.riders;
    const tailFirst = rider?.ride.tail.firstSequence ?? 0;
    const generation = rider?.ride.tail.generation;
    if (generation !== lift.generation) {
      lift.chunks.clear();
      lift.chunkBytes = 0;
      lift.ahead = undefined;
      lift.generation = generation;
    }
    // Starts are aligned, so that riders who began anywhere meet; a chunk cut short by its bytes has a successor.
    let start = next - ((next - 1) % CHUNK_EVENTS);
    const end = start + CHUNK_EVENTS - 1;
    for (let chunk = lift.chunks.get(start); chunk !== undefined; chunk = lift.chunks.get(start)) {
      if (chunk.through >= next) {
        lift.chunks.delete(start);
        lift.chunks.set(start, chunk);
        return chunk;
      }
      start = chunk.through + 1;
    }
    const isAhead = lift.ahead?.start === start;
    const chunk = await (isAhead ? lift.ahead!.chunk : this.#load(stream, start, end, tailFirst));
    lift.ahead = undefined;
    if (chunk === 'stale') return chunk;
    this.#keep(lift, chunk);
    // Most riders go on from here: the server reads the next chunk while this one is handed out.
    const nextStart = chunk.through + 1;
    if (nextStart < tailFirst && !lift.chunks.has(nextStart)) {
      const nextEnd = nextStart - ((nextStart - 1) % CHUNK_EVENTS) + CHUNK_EVENTS - 1;
      lift.ahead = { start: nextStart, chunk: this.#load(stream, nextStart, nextEnd, tailFirst) };
      // Awaited in the next turn, or by nobody.
      lift.ahead.chunk.catch(() => {});
    }
    return chunk;
  }

  async #load(stream: string, start: number, end: number, tailFirst: number): Promise<Chunk | 'stale'> {
    const segment = new Segment(CHUNK_EVENTS);
    let through = start - 1;
    while (through < end && segment.slab.length < CHUNK_BYTES) {
      // oxlint-disable-next-line no-await-in-loop -- batches follow each other
      const answer = await this.#options.direct.batch(stream, {
        seq: through + 1,
        next_by_subj: '>',
        batch: Math.min(BATCH_EVENTS, end - through),
        max_bytes: BATCH_BYTES,
      });
      if (answer.kind !== 'batch' || answer.events.length === 0) return 'stale';
      for (const { sequence, timeMs, subject, payload, isMarker } of answer.events) {
        if (sequence > end) break;
        if (!isMarker) segment.append(sequence, timeMs, subject, payload);
      }
      // A replica's store is a beginning of the log: what it returned is complete through its last event.
      through = Math.min(end, answer.events.at(-1)!.sequence);
      // All this replica has: good enough only if it reaches the tail.
      if (answer.pending === 0 && through < end) return through >= tailFirst - 1 ? done() : 'stale';
    }
    return done();

    function done(): Chunk {
      segment.seal();
      return { start, through, segment, bytes: segment.byteLength };
    }
  }

  #keep(lift: Lift, chunk: Chunk): void {
    lift.chunks.set(chunk.start, chunk);
    lift.chunkBytes += chunk.bytes;
    for (const [start, oldest] of lift.chunks) {
      if (lift.chunkBytes <= this.#options.maxBytes || lift.chunks.size === 1) break;
      lift.chunks.delete(start);
      lift.chunkBytes -= oldest.bytes;
    }
  }

  /** Gives the chunk to everybody whose next event would be in it, or could be. */
  #serve(lift: Lift, next: number, chunk: Chunk | 'stale'): void {
    const nowMs = this.#options.clock.now();
    for (const rider of lift.riders) {
      if (chunk === 'stale') {
        if (rider.next === next) this.#finish(lift, rider, rider.next - 1);
      } else if (rider.next >= chunk.start && rider.next <= chunk.through) this.#take(lift, rider, chunk);
    }
    for (const rider of lift.riders) {
      const isFull = lift.pageBytes > this.#options.maxBytes;
      const isLate = nowMs - rider.startedMs > MAX_RIDE_MS;
      if ((isFull || isLate) && rider.events.length > 0) this.#finish(lift, rider, rider.next - 1);
    }
    if (chunk === 'stale') return;
    // The index has grown by what the riders looked up.
    const bytes = chunk.segment.byteLength;
    lift.chunkBytes += bytes - chunk.bytes;
    chunk.bytes = bytes;
  }

  #take(lift: Lift, rider: Rider, { segment, through }: Chunk): void {
    const { filters, maxEvents, maxBytes, tail } = rider.ride;
    const from = segment.numberAfter(rider.next - 1);
    for (const number of segment.numbersOf(filters, from, segment.count, this.#options.filtersOf)) {
      const sequence = segment.sequences[number]!;
      const view = segment.payload(number);
      const isFull = rider.events.length >= maxEvents || rider.bytes + view.length > maxBytes;
      if (isFull && rider.events.length > 0) {
        this.#finish(lift, rider, rider.events.at(-1)!.sequence);
        return;
      }
      // A copy: a page of a few events must not hold a chunk of thousands.
      const payload = copyOf(view);
      const event = { sequence, timeMs: segment.timesMs[number]!, subject: segment.subjects[number]!, payload };
      rider.events.push({ ...event, isMarker: false });
      rider.bytes += view.length;
      lift.pageBytes += view.length;
    }
    rider.next = through + 1;
    if (rider.next >= tail.firstSequence) this.#finish(lift, rider, through);
  }

  #finish(lift: Lift, rider: Rider, through: number): void {
    lift.riders.delete(rider);
    lift.pageBytes -= rider.bytes;
    if (through <= rider.ride.after) rider.settle('stale');
    else rider.settle({ kind: 'page', events: rider.events, through });
  }
}

/** The next sequence anybody waits for at or above the lift, else the lowest; undefined if nobody rides. */
function nextStop(lift: Lift): number | undefined {
  let above: number | undefined;
  let lowest: number | undefined;
  for (const { next } of lift.riders) {
    if (lowest === undefined || next < lowest) lowest = next;
    if (next >= lift.floor && (above === undefined || next < above)) above = next;
  }
  return above ?? lowest;
}

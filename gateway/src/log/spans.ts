// Many cold reads of one stream at once. Each by itself makes the server walk the log from its own cursor (40 to 150 ms
// for a page out of 250,000 messages); here the span they all need is read once, unfiltered (3 us a message), and they
// ride along. Chunks are segments, so their index is the one the tail uses.
//
// A lift: it goes up from chunk to chunk as long as somebody waits above, then starts again at the lowest. The chunks it
// passed last are kept for a while, so that whoever took a page and comes back goes on where the page ended. Those who
// are below wait for the next round instead of pulling the lift back: nobody starves, and a chunk is read once a round.

import type { Clock } from '../operations/clock.ts';
import type { ColdPage, ColdReadRequest, StoredEvent } from './cold-contract.ts';
import type { DirectGet } from './direct-get.ts';
import { Segment } from './segment.ts';
import type { FiltersOf } from './segment.ts';

export interface SpanOptions {
  readonly direct: DirectGet;
  readonly clock: Clock;
  readonly filtersOf: FiltersOf;
  /** Bytes of chunks kept of a stream. What riders have found is in them; pages are copies, made when they are handed out. */
  readonly maxBytes: number;
}

type Ride = Pick<ColdReadRequest, 'stream' | 'filters' | 'after' | 'tail' | 'maxEvents' | 'maxBytes'>;

interface Rider {
  readonly ride: Ride;
  /** What was found so far, by chunk; no older than the oldest chunk kept. */
  readonly finds: Find[];
  count: number;
  bytes: number;
  /** Everything below has been looked at. */
  next: number;
  readonly settle: (result: ColdPage | 'stale') => void;
  readonly fail: (error: unknown) => void;
}

interface Find {
  readonly segment: Segment;
  readonly numbers: readonly number[];
}

/** Events of [start, through], markers left out, complete. */
interface Chunk {
  readonly start: number;
  readonly through: number;
  readonly segment: Segment;
}

interface Lift {
  /** Who has waited longest comes first. */
  readonly riders: Set<Rider>;
  /** Oldest first; no two hold the same sequence. */
  readonly chunks: Chunk[];
  /** The chunk after the one that was served last, on its way. */
  ahead: { readonly start: number; readonly chunk: Promise<Chunk | 'stale'> } | undefined;
  /** Of the stream that the chunks are of. */
  generation: number | undefined;
  /** The lift does not go below this until it has been at the top. */
  floor: number;
  readonly startedMs: number;
  /** Ends the wait of a lift that stands still. */
  call: () => void;
}

const CHUNK_EVENTS = 4_096;
const CHUNK_BYTES = 2 * 1024 * 1024;
const BATCH_EVENTS = 1_024;
const BATCH_BYTES = 512 * 1024;
/** Storms take a moment to gather: until then the lift waits for whoever comes in lowest. */
const GATHER_MS = 1_000;
/** How long the chunks are kept for riders who were handed a page and may come back. */
const LINGER_MS = 500;

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

  /** Whether the next chunk that such a read needs is at hand. */
  holds({ stream, after, tail }: Pick<Ride, 'stream' | 'after' | 'tail'>): boolean {
    const lift = this.#lifts.get(stream);
    return lift !== undefined && lift.generation === tail.generation && chunkOf(lift, after + 1) !== undefined;
  }

  /**
   * A page like that of a filtered read; retention is the caller's to check. The filters must be ones that filtersOf
   * yields. Throws what direct gets throw.
   */
  read(ride: Ride): Promise<ColdPage | 'stale'> {
    return new Promise((settle, fail) => {
      const rider: Rider = { ride, finds: [], count: 0, bytes: 0, next: ride.after + 1, settle, fail };
      const lift = this.#liftOf(ride);
      lift.riders.add(rider);
      this.#ride(lift, rider);
      lift.call();
    });
  }

  #liftOf({ stream, tail }: Ride): Lift {
    let lift = this.#lifts.get(stream);
    if (lift === undefined) {
      lift = {
        riders: new Set(),
        chunks: [],
        ahead: undefined,
        generation: tail.generation,
        floor: 0,
        startedMs: this.#options.clock.now(),
        call: () => {},
      };
      this.#lifts.set(stream, lift);
      void this.#run(stream, lift);
    } else if (lift.generation !== tail.generation) {
      // The stream is another one: who rides from before is not listened to any more.
      lift.generation = tail.generation;
      lift.chunks.length = 0;
      lift.ahead = undefined;
    }
    return lift;
  }

  /** Until nobody has come for a while; then the chunks go too: an idle lift holds nothing. */
  async #run(stream: string, lift: Lift): Promise<void> {
    // oxlint-disable no-await-in-loop -- one chunk at a time is the point
    while (lift.riders.size > 0 || (await this.#isCalled(stream, lift))) {
      const next = nextStop(lift);
      if (next === undefined) continue;
      lift.floor = this.#options.clock.now() - lift.startedMs < GATHER_MS ? 0 : next;
      try {
        await this.#serve(stream, lift, next);
      } catch (error) {
        for (const rider of lift.riders) rider.fail(error);
        lift.riders.clear();
      }
    }
    // oxlint-enable no-await-in-loop
  }

  /** Waits for somebody to come. False if nobody does: then the lift is gone. */
  #isCalled(stream: string, lift: Lift): Promise<boolean> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => {
        this.#lifts.delete(stream);
        resolve(false);
      }, LINGER_MS);
      lift.call = () => {
        clock.clear(timer);
        resolve(true);
      };
    });
  }

  /** Reads the chunk that holds `next` and takes everybody along whom it concerns. */
  async #serve(stream: string, lift: Lift, next: number): Promise<void> {
    const { generation } = lift;
    const chunk = await this.#read(stream, lift, next);
    if (generation !== lift.generation) return;
    if (chunk === 'stale') {
      for (const rider of lift.riders) if (rider.next === next) this.#finish(lift, rider, next - 1);
      return;
    }
    this.#keep(lift, chunk);
    for (const rider of lift.riders) this.#ride(lift, rider);
    this.#handOut(lift);
  }

  async #read(stream: string, lift: Lift, next: number): Promise<Chunk | 'stale'> {
    const [rider] = lift.riders;
    const tailFirst = rider?.ride.tail.firstSequence ?? 0;
    const { ahead, chunks } = lift;
    const chunk = await (ahead?.start === next ? ahead.chunk : this.#load(stream, next, chunks, tailFirst));
    lift.ahead = undefined;
    if (chunk === 'stale') return chunk;
    // Most riders go on from here: the server reads the next chunk while this one is handed out.
    const start = chunk.through + 1;
    if (start < tailFirst && chunkOf(lift, start) === undefined) {
      lift.ahead = { start, chunk: this.#load(stream, start, chunks, tailFirst) };
      // Awaited in the next turn, or by nobody.
      lift.ahead.chunk.catch(() => {});
    }
    return chunk;
  }

  async #load(stream: string, start: number, held: readonly Chunk[], tailFirst: number): Promise<Chunk | 'stale'> {
    // Up to where a chunk goes on that is held already.
    const end = held.reduce(
      (least, { start: at }) => (at > start ? Math.min(least, at - 1) : least),
      start + CHUNK_EVENTS - 1,
    );
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
      for (const { sequence, timeMs, subject, payload, isMarker, expiresAtMs } of answer.events) {
        if (sequence > end) break;
        if (!isMarker) segment.append(sequence, timeMs, subject, payload, expiresAtMs);
      }
      // A replica's store is a beginning of the log: what it returned is complete through its last event.
      through = Math.min(end, answer.events.at(-1)!.sequence);
      // All this replica has: good enough only if it reaches the tail.
      if (answer.pending === 0 && through < end) {
        if (through < tailFirst - 1) return 'stale';
        break;
      }
    }
    segment.seal();
    return { start, through, segment };
  }

  /** Makes room for the chunk: whoever holds something of a chunk that goes takes it along. */
  #keep(lift: Lift, chunk: Chunk): void {
    const { chunks, riders } = lift;
    chunks.push(chunk);
    // Summed up each time, since indexes grow with what is looked up in them.
    let bytes = 0;
    for (const { segment } of chunks) bytes += segment.byteLength;
    while (bytes > this.#options.maxBytes && chunks.length > 1) {
      const { segment } = chunks.shift()!;
      bytes -= segment.byteLength;
      for (const rider of riders) if (rider.finds[0]?.segment === segment) this.#finish(lift, rider, rider.next - 1);
    }
  }

  /** As far as chunks are at hand. */
  #ride(lift: Lift, rider: Rider): void {
    const { tail } = rider.ride;
    for (let chunk = chunkOf(lift, rider.next); chunk !== undefined; chunk = chunkOf(lift, rider.next)) {
      if (this.#isFull(rider, chunk)) return this.#finish(lift, rider, rider.next - 1);
      rider.next = chunk.through + 1;
      if (rider.next >= tail.firstSequence) return this.#finish(lift, rider, chunk.through);
    }
  }

  /** Adds what the chunk has for the rider. True if that was too much: then `next` follows the last that was added. */
  #isFull(rider: Rider, { segment }: Chunk): boolean {
    const { filters, maxEvents, maxBytes } = rider.ride;
    const from = segment.numberAfter(rider.next - 1);
    const numbers = segment.numbersOf(filters, from, segment.count, this.#options.filtersOf);
    let taken = 0;
    for (const number of numbers) {
      const bytes = segment.offsets[number + 1]! - segment.offsets[number]!;
      if (rider.count > 0 && (rider.count >= maxEvents || rider.bytes + bytes > maxBytes)) break;
      taken += 1;
      rider.count += 1;
      rider.bytes += bytes;
      rider.next = segment.sequences[number]! + 1;
    }
    const isFull = taken < numbers.length;
    if (isFull) numbers.length = taken;
    if (taken > 0) rider.finds.push({ segment, numbers });
    return isFull;
  }

  /**
   * With every chunk those who have waited longest get their page: as many as there are chunks kept, so that nobody
   * waits longer than a chunk lives, and a thousand pages do not leave at once and come back at once.
   */
  #handOut(lift: Lift): void {
    let due = Math.ceil(lift.riders.size / lift.chunks.length);
    for (const rider of lift.riders) {
      if (due === 0) return;
      if (rider.count === 0) continue;
      due -= 1;
      this.#finish(lift, rider, rider.next - 1);
    }
  }

  #finish(lift: Lift, rider: Rider, through: number): void {
    lift.riders.delete(rider);
    if (through <= rider.ride.after) rider.settle('stale');
    else rider.settle({ kind: 'page', events: eventsOf(rider), through });
  }
}

/** Copies: a page of a few events must not hold chunks of thousands. */
function eventsOf({ finds, bytes, count }: Rider): StoredEvent[] {
  const events: StoredEvent[] = [];
  if (count === 0) return events;
  const copy = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const { segment, numbers } of finds) {
    for (const number of numbers) {
      const start = at;
      at += segment.slab.copy(copy, at, segment.offsets[number], segment.offsets[number + 1]);
      events.push({
        sequence: segment.sequences[number]!,
        timeMs: segment.timesMs[number]!,
        subject: segment.subjects[number]!,
        payload: copy.subarray(start, at),
        isMarker: false,
        ...(segment.hasExpiries && { expiresAtMs: expiryOf(segment, number) }),
      });
    }
  }
  return events;
}

function expiryOf(segment: Segment, number: number): number | undefined {
  const atMs = segment.expiresAtMs(number);
  return Number.isFinite(atMs) ? atMs : undefined;
}

function chunkOf({ chunks }: Lift, sequence: number): Chunk | undefined {
  return chunks.findLast(({ start, through }) => start <= sequence && sequence <= through);
}

/** The next sequence anybody waits for at or above the lift, else the lowest; undefined if nobody rides. */
function nextStop({ riders, floor }: Lift): number | undefined {
  let above: number | undefined;
  let lowest: number | undefined;
  for (const { next } of riders) {
    if (lowest === undefined || next < lowest) lowest = next;
    if (next >= floor && (above === undefined || next < above)) above = next;
  }
  return above ?? lowest;
}

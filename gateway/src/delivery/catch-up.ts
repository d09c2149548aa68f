// Behind the head: the next chunk of a channel for a set of cursors. Pure. Knows cursors, segments and the tail, not
// NATS or sockets. Streams are merged by store time; within a stream the order is the stream's (I1).
//
// A chunk read from tails alone is the same for every session with the same channel, cursors and encoding, and is kept
// for a while: framing per session costs four times as much, and 500 sockets that fall behind together after an
// election would never recover. Reads end at fixed pages (tail.ts), so that different cursors converge.
import type { Encoding } from '@sluice/schemas';
import type { Segment } from '../log/segment.ts';
import type { EventRef, Tail } from '../log/tail.ts';
import type { Conflation } from './conflation.ts';
import type { EventWriter } from './event-writer.ts';
import type { LiveChannel } from './live-channel.ts';

/** Events that were read from JetStream and not yet sent. */
export interface ColdBuffer {
  readonly segment: Segment;
  /** First event that has not been sent. */
  next: number;
  /** The stream is complete up to here once the buffer is empty. */
  readonly through: number;
  /** Less those that newer ones stand for; found when the first of them is sent. */
  events?: readonly EventRef[];
}

/** Where one subscription stands in one stream. */
export interface Cursor {
  /** Everything at or below has been sent. */
  after: number;
  cold?: ColdBuffer | undefined;
}

export interface Chunk {
  readonly bytes: Uint8Array;
  /** Offsets at which the bytes may be split into messages. */
  readonly ends: readonly number[];
  readonly events: number;
  readonly coldEvents: number;
  /** Per stream: the cursor after the chunk. */
  readonly after: readonly number[];
  readonly isAtHead: boolean;
  /** When the first of its events expires; Infinity if none does. */
  readonly expiresAtMs: number;
}

/** Index of a stream that cannot go on without a cold read, or undefined. */
export const needsColdRead = (channel: LiveChannel, cursors: readonly Cursor[]): number | undefined => {
  const index = cursors.findIndex(
    ({ after, cold }, stream) => !cold && after < channel.streams[stream]!.tail.firstSequence - 1,
  );
  return index < 0 ? undefined : index;
};

interface Source {
  readonly events: readonly EventRef[];
  /** The cursor once all of `events` are sent. */
  readonly through: number;
  /** There is more in this stream than `events`. */
  readonly hasMore: boolean;
}

/**
 * Builds the next chunk and moves cold buffers on; the caller stores `after` in the cursors once the chunk is sent.
 * No stream may need a cold read.
 */
export const buildChunk = (
  channel: LiveChannel,
  cursors: readonly Cursor[],
  encoding: Encoding,
  maxBytes: number,
  writer: EventWriter,
  conflation: Conflation,
): Chunk => {
  const sources = channel.streams.map(({ tail, filters }, stream) => {
    const { after, cold } = cursors[stream]!;
    return cold ? coldSource(cold, tail, maxBytes, conflation) : tailSource(tail, filters, after, maxBytes, conflation);
  });
  const { order, taken } = mergeByTime(sources);
  writer.begin(encoding);
  let coldEvents = 0;
  for (const [stream, event] of order) {
    const before = writer.count;
    writer.add(channel.streams[stream]!.ref, event.segment, event.number);
    // An event that the payload gate refuses is in no chunk.
    if (cursors[stream]!.cold) coldEvents += writer.count - before;
  }
  const after = sources.map(({ events, through }, stream) => {
    const cursor = cursors[stream]!;
    const count = taken[stream]!;
    const last = events[count - 1];
    if (cursor.cold) {
      if (count === events.length && through === cursor.cold.through) cursor.cold = undefined;
      else if (last) cursor.cold.next = last.number + 1;
    }
    if (count === events.length) return Math.max(through, cursor.after);
    return last ? last.segment.sequences[last.number]! : cursor.after;
  });
  return {
    bytes: Uint8Array.prototype.slice.call(writer.bytes),
    ends: writer.ends,
    events: writer.count,
    coldEvents,
    after,
    expiresAtMs: writer.expiresAtMs,
    isAtHead: after.every(
      (sequence, stream) => !cursors[stream]!.cold && sequence >= channel.streams[stream]!.tail.head,
    ),
  };
};

const tailSource = (
  tail: Tail,
  filters: readonly string[],
  after: number,
  maxBytes: number,
  conflation: Conflation,
): Source => {
  const first = tail.read(filters, after, maxBytes);
  let events = conflation.newest(first.events);
  let { through } = first;
  // What was left out has made room: the further one reads at once, the fewer events stand for a subject.
  for (let reads = 1; reads < MAX_READS && through < tail.head && hasRoom(events, first.events, maxBytes); reads++) {
    const next = tail.read(filters, through, maxBytes);
    events = conflation.newest([...events, ...next.events]);
    through = next.through;
  }
  return { events, through, hasMore: through < tail.head };
};

/** Pages that one chunk may be made of. A turn must end: this is about a megabyte of payloads. */
const MAX_READS = 32;

/** Where nothing was left out, a chunk is a page. */
const hasRoom = (events: readonly EventRef[], page: readonly EventRef[], maxBytes: number): boolean => {
  if (events === page) return false;
  let bytes = 0;
  for (const { segment, number } of events) bytes += bytesOf(segment, number);
  return bytes < maxBytes;
};

/** A page may be as large as the socket's budget, a snapshot larger: neither leaves at once. */
const coldSource = (cold: ColdBuffer, tail: Tail, maxBytes: number, conflation: Conflation): Source => {
  const { segment, next, through } = cold;
  cold.events ??= conflation.newest(eventsFrom(segment, next));
  const events: EventRef[] = [];
  let bytes = 0;
  for (const event of cold.events) {
    if (event.number < next) continue;
    if (bytes >= maxBytes) return { events, through: segment.sequences[events.at(-1)!.number]!, hasMore: true };
    events.push(event);
    bytes += bytesOf(segment, event.number);
  }
  return { events, through, hasMore: through < tail.head };
};

const eventsFrom = (segment: Segment, from: number): EventRef[] =>
  Array.from({ length: segment.count - from }, (_, i) => ({ segment, number: from + i }));

const bytesOf = ({ offsets }: Segment, number: number): number => offsets[number + 1]! - offsets[number]!;

/**
 * Merges sources by store time as far as that is known: a source with more to come says nothing about what lies
 * behind its last event, so nothing later than that is taken from the others yet. Store times may step back within a
 * stream (another server leads): what counts is its latest, so that at least one source can always be taken whole.
 */
const mergeByTime = (sources: readonly Source[]): { order: [stream: number, event: EventRef][]; taken: number[] } => {
  const order: [number, EventRef][] = [];
  const taken = sources.map(() => 0);
  const timeOf = ({ segment, number }: EventRef): number => segment.timesMs[number]!;
  if (sources.length === 1) {
    for (const event of sources[0]!.events) order.push([0, event]);
    return { order, taken: [order.length] };
  }
  const horizonMs = Math.min(
    ...sources.map(({ events, hasMore }) => {
      if (!hasMore) return Number.POSITIVE_INFINITY;
      return events.reduce((latest, event) => Math.max(latest, timeOf(event)), Number.NEGATIVE_INFINITY);
    }),
  );
  for (;;) {
    let next = -1;
    let nextMs = Number.POSITIVE_INFINITY;
    for (let stream = 0; stream < sources.length; stream++) {
      const event = sources[stream]!.events[taken[stream]!];
      if (!event) continue;
      const timeMs = timeOf(event);
      if (timeMs <= horizonMs && timeMs < nextMs) {
        next = stream;
        nextMs = timeMs;
      }
    }
    if (next < 0) return { order, taken };
    order.push([next, sources[next]!.events[taken[next]!++]!]);
  }
};

export interface ChunkCacheOptions {
  readonly maxBytes: number;
  readonly conflation: Conflation;
  readonly nowMs: () => number;
}

/** Recent chunks that were read from tails alone, under one byte budget; the oldest goes first. */
export class ChunkCache {
  readonly #options: ChunkCacheOptions;
  readonly #chunks = new Map<string, Chunk>();
  #byteLength = 0;

  constructor(options: ChunkCacheOptions) {
    this.#options = options;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** The chunk from the cache, or a new one. Cursors with cold buffers are nobody else's and bypass the cache. */
  chunk(
    channel: LiveChannel,
    cursors: readonly Cursor[],
    encoding: Encoding,
    maxBytes: number,
    writer: EventWriter,
  ): Chunk {
    const { conflation } = this.#options;
    if (cursors.some(({ cold }) => cold)) return buildChunk(channel, cursors, encoding, maxBytes, writer, conflation);
    // By ref, which is this very channel object's: one that was given up and is wanted again frames with other refs.
    let key = `${channel.streams[0]!.ref} ${encoding}`;
    for (let stream = 0; stream < cursors.length; stream++) {
      key += ` ${channel.streams[stream]!.tail.generation}:${cursors[stream]!.after}`;
    }
    const kept = this.#chunks.get(key);
    // One that ended at the head of its moment is void once the head has moved: it would be read in ever smaller bits.
    if (kept && (!kept.isAtHead || isStillAtHead(channel, kept)) && !this.#hasExpired(kept)) return kept;
    const chunk = buildChunk(channel, cursors, encoding, maxBytes, writer, conflation);
    // A channel at whose head nothing came is the usual case, and nothing to keep.
    if (chunk.events > 0) this.#keep(key, chunk);
    return chunk;
  }

  #hasExpired({ expiresAtMs }: Chunk): boolean {
    return expiresAtMs < Number.POSITIVE_INFINITY && expiresAtMs <= this.#options.nowMs();
  }

  #keep(key: string, chunk: Chunk): void {
    const replaced = this.#chunks.get(key);
    if (replaced) this.#drop(key, replaced);
    this.#chunks.set(key, chunk);
    this.#byteLength += chunk.bytes.length + OVERHEAD_BYTES;
    for (const [oldest, { bytes }] of this.#chunks) {
      if (this.#byteLength <= this.#options.maxBytes) return;
      this.#chunks.delete(oldest);
      this.#byteLength -= bytes.length + OVERHEAD_BYTES;
    }
  }

  #drop(key: string, chunk: Chunk): void {
    this.#chunks.delete(key);
    this.#byteLength -= chunk.bytes.length + OVERHEAD_BYTES;
  }
}

const OVERHEAD_BYTES = 300;

const isStillAtHead = (channel: LiveChannel, chunk: Chunk): boolean =>
  chunk.after.every((sequence, stream) => sequence >= channel.streams[stream]!.tail.head);

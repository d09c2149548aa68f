// Where a subscription starts in each stream: at its own position, if the log still agrees with it, else with first
// events. Knows the tail and cold reads; sends nothing. All checks of DESIGN "Positions, epochs, resets" are here.
import { type ErrorCode, type FirstEvents, type Position, type PositionEntry, type ResetReason } from '@sluice/schemas';
import type { ChannelStream } from '../delivery/live-channel.ts';
import type { Cold, ColdRetry, StoredEvent } from '../log/cold.ts';
import { readToTail, retained } from './retained.ts';
import { readStates, type States, type StateSources } from './first-states.ts';

/** How one stream of a subscription begins. */
export interface StreamStart {
  /** Everything at or below counts as sent; of a snapshot, once `events` are. */
  readonly after: number;
  /** Store time of the event at `after`; 0 where none vouches for it. */
  readonly timeMs: number;
  /** First events, or those between a cursor and the tail that had to be read to find the start. */
  readonly events: readonly StoredEvent[];
  /** The stream is complete up to here once `events` are sent. */
  readonly through: number;
  /** False for a snapshot: the position is not told before its events have been sent. */
  readonly isSettled: boolean;
}

export type Opened =
  | { readonly kind: 'start'; readonly start: StreamStart }
  | { readonly kind: 'reset'; readonly reason: ResetReason }
  /** Past this pod's head, which is not past the end: ask again when the head has moved. */
  | { readonly kind: 'ahead'; readonly sequence: number }
  | { readonly kind: 'retry'; readonly code: ErrorCode; readonly afterMs: number };

/** A replay of the last N is collected before it is sent: what is held of it is bounded like a cold page. */
const LAST_PAGE_EVENTS = 1_024;
const LAST_PAGE_BYTES = 512 * 1024;

/** What a replay of everything begins with. Every subscription of a connection may hold so much until it is sent. */
const FIRST_PAGE_EVENTS = 256;
const FIRST_PAGE_BYTES = 32 * 1024;

const start = (after: number, timeMs: number): Opened => ({
  kind: 'start',
  start: { after, timeMs, events: [], through: after, isSettled: true },
});

const snapshot = (through: number, events: readonly StoredEvent[]): Opened => ({
  kind: 'start',
  start: { after: through, timeMs: 0, events, through, isSettled: false },
});

const retry = ({ code, afterMs }: ColdRetry): Opened => ({
  kind: 'retry',
  code: code === 'overloaded' ? 'overloaded' : 'unavailable',
  afterMs,
});

/** Matches a position's entries with the channel's streams; `new_stream` if an entry belongs to none of them. */
export const matchEntries = (
  streams: readonly ChannelStream[],
  position: Position,
): readonly (PositionEntry | undefined)[] | 'new_stream' => {
  const isKnown = ({ epoch }: PositionEntry): boolean => streams.some(({ tail }) => tail.epoch === epoch);
  if (!position.entries.every(isKnown)) return 'new_stream';
  return streams.map(({ tail }) => position.entries.find(({ epoch }) => epoch === tail.epoch));
};

/**
 * Checks a position's own event. The answer is immediate where the tail holds it, which is the usual case. A position past
 * the head, but not past what was read of the stream, is that of an event that is gone.
 */
export const openAtPosition = (
  { tail }: ChannelStream,
  entry: PositionEntry,
  cold: Cold,
  readThrough: (stream: string) => number,
): Opened | Promise<Opened> => {
  const { sequence, timeMs } = entry;
  if (sequence > tail.head && sequence > readThrough(tail.stream)) return { kind: 'ahead', sequence };
  // Nothing vouches for the entry (an empty stream, say): there is nothing to compare.
  if (timeMs === 0) return start(sequence, 0);
  const heldMs = sequence === tail.head && tail.headTimeMs > 0 ? tail.headTimeMs : tail.timeOf(sequence);
  if (heldMs !== undefined)
    return heldMs === timeMs ? start(sequence, timeMs) : { kind: 'reset', reason: 'rolled_back' };
  return openBeforeTail(tail.stream, entry, cold);
};

const openBeforeTail = async (stream: string, { sequence, timeMs }: PositionEntry, cold: Cold): Promise<Opened> => {
  const found = await cold.event(stream, sequence);
  if (found.kind === 'retry') return retry(found);
  if (found.event) {
    return found.event.timeMs === timeMs ? start(sequence, timeMs) : { kind: 'reset', reason: 'rolled_back' };
  }
  // The event is gone: its neighbours must at least not contradict the order of store times.
  const around = await cold.neighbours(stream, sequence);
  if (around.kind === 'retry') return retry(around);
  const { below, above } = around;
  const isContradicted = (below && below.timeMs > timeMs) || (above && above.timeMs < timeMs);
  return isContradicted ? { kind: 'reset', reason: 'rolled_back' } : start(sequence, timeMs);
};

/** First events of one stream for a subscription without a usable position. */
export const openWithFirst = (
  stream: ChannelStream,
  first: FirstEvents,
  sources: StateSources,
): Opened | Promise<Opened> => {
  const { cold } = sources;
  const { tail } = stream;
  const states = first === 'states' ? readStates(stream, sources) : undefined;
  if (states) return states.then(openWithStates);
  if (first === 'none' || first === 'states') return start(tail.head, tail.headTimeMs);
  if (first === 'all') return openWithAll(stream, cold);
  return 'last' in first ? openWithLast(stream, first.last, cold) : openSince(stream, first.sinceMs, cold);
};

const openWithStates = (states: States | ColdRetry): Opened =>
  states.kind === 'retry' ? retry(states) : snapshot(states.through, states.events);

const openWithAll = async (stream: ChannelStream, cold: Cold): Promise<Opened> => {
  if (stream.tail.firstSequence <= 1) return start(0, 0);
  const leader = await cold.leader(stream.tail.stream);
  return leader.kind === 'retry' ? retry(leader) : openAfter(stream, leader.firstSequence - 1, cold);
};

const openSince = async (stream: ChannelStream, sinceMs: number, cold: Cold): Promise<Opened> => {
  const result = await cold.since(stream.tail.stream, sinceMs);
  return result.kind === 'retry' ? retry(result) : openAfter(stream, result.after, cold);
};

/**
 * The first page is in hand before the position is told: what retention takes until then was owed to nobody. Else whoever
 * begins with the oldest that there is would be told to begin again, and again, where retention moves on with every read.
 */
const openAfter = async ({ tail, filters }: ChannelStream, after: number, cold: Cold): Promise<Opened> => {
  if (after >= tail.firstSequence - 1) return start(after, 0);
  const limits = { maxEvents: FIRST_PAGE_EVENTS, maxBytes: FIRST_PAGE_BYTES };
  const page = await cold.read({ stream: tail.stream, filters, after, tail, ...limits });
  if (page.kind === 'retry') return retry(page);
  const { before, events, through } = retained(page, after);
  if (events.length === 0) return start(through, 0);
  return { kind: 'start', start: { after: before, timeMs: 0, events, through, isSettled: true } };
};

/** The cursor may lie well before the last N: what is read up to the tail is trimmed together with the tail's part. */
const openWithLast = async (stream: ChannelStream, count: number, cold: Cold): Promise<Opened> => {
  const { tail, filters } = stream;
  const found = await cold.lastN(tail.stream, filters, count, tail);
  if (found.kind === 'retry') return retry(found);
  // Thousands of large events are read twice rather than held: where the last N begin is all that has to be known.
  let events: StoredEvent[] | undefined = [];
  let bytes = 0;
  const sequences: number[] = [];
  const limits = { maxEvents: LAST_PAGE_EVENTS, maxBytes: LAST_PAGE_BYTES };
  const read = await readToTail(stream, found.after, cold, limits, (page) => {
    for (const event of page) {
      sequences.push(event.sequence);
      events?.push(event);
      bytes += event.payload.length;
    }
    const excess = sequences.length - count;
    if (excess > count) {
      sequences.splice(0, excess);
      for (const { payload } of events?.splice(0, excess) ?? []) bytes -= payload.length;
    }
    if (bytes > LAST_PAGE_BYTES) events = undefined;
  });
  if (read.kind === 'retry') return retry(read);
  const { after } = read;
  const held = tail.read(filters, after, Number.POSITIVE_INFINITY).events;
  if (held.length >= count) {
    const { segment, number } = held[held.length - count]!;
    return start(segment.sequences[number]! - 1, 0);
  }
  const missing = count - held.length;
  if (events) return snapshot(after, events.slice(-missing));
  return start((sequences.at(-missing) ?? sequences[0]!) - 1, 0);
};

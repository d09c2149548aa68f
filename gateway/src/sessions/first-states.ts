// First events of the usual kind: the newest event of each state that a stream has for a channel.
import { stateFiltersOf, typeOfSubject, type Catalogue } from '@sluice/schemas';
import type { Endings } from '../delivery/endings.ts';
import type { ChannelStream } from '../delivery/live-channel.ts';
import type { Cold, ColdRetry, StoredEvent } from '../log/cold.ts';
import { Newest } from '../log/newest.ts';
import { readToTail } from './retained.ts';

export interface StateSources {
  readonly cold: Cold;
  readonly families: Catalogue['families'];
  /** States that a subscription begins with at most, per stream. */
  readonly maxStates: number;
  /** Where what has ended is left out. */
  readonly endings?: Endings | undefined;
}

export interface States {
  readonly kind: 'states';
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** They are the newest as of this sequence. */
  readonly through: number;
}

/** What is looked at where more is wanted than is shown, or the server would not count more. */
const MAX_LOOKED_AT = 1_024;
const PAGE = { maxEvents: 256, maxBytes: 512 * 1024 };

/** The newest states, at most `maxStates`; undefined where the channel has no type that is one. */
export const readStates = (stream: ChannelStream, sources: StateSources): Promise<States | ColdRetry> | undefined => {
  const filters = stateFiltersOf(sources.families, stream.filters);
  return filters.length === 0 ? undefined : readOpen(stream, filters, sources);
};

const readOpen = async (
  stream: ChannelStream,
  filters: readonly string[],
  sources: StateSources,
): Promise<States | ColdRetry> => {
  const { cold, maxStates, endings } = sources;
  const { tail } = stream;
  const wanted = endings ? MAX_LOOKED_AT : maxStates;
  const snapshot = await cold.states({ stream: tail.stream, filters, tail, maxStates: wanted });
  const states = snapshot.kind === 'too_large' ? await readNewest(stream, filters, sources) : snapshot;
  if (states.kind === 'retry') return states;
  const open = endings ? endings.withoutEnded(states.events) : states.events;
  return { ...states, events: open.slice(-maxStates) };
};

/**
 * More subjects than the server takes a snapshot of: the newest events, and of each subject the newest one. What changed
 * last is what matters first; a refusal would leave the busiest channels dark.
 */
const readNewest = async (
  stream: ChannelStream,
  stateFilters: readonly string[],
  { cold, families }: StateSources,
): Promise<States | ColdRetry> => {
  const { tail, filters } = stream;
  const found = await cold.lastN(tail.stream, stateFilters, MAX_LOOKED_AT, tail);
  if (found.kind === 'retry') return found;
  const newest = new Newest(MAX_LOOKED_AT);
  const look = (event: StoredEvent): void => {
    if (typeOfSubject(families, event.subject)?.kind === 'state') newest.add(event);
  };
  const read = await readToTail(stream, found.after, cold, PAGE, (events) => {
    for (const event of events) look(event);
  });
  if (read.kind === 'retry') return read;
  const { events, through } = tail.read(filters, read.after, Number.POSITIVE_INFINITY);
  for (const { segment, number } of events) {
    const expiresAtMs = segment.expiresAtMs(number);
    look({
      sequence: segment.sequences[number]!,
      timeMs: segment.timesMs[number]!,
      subject: segment.subjects[number]!,
      payload: segment.payload(number),
      isMarker: false,
      expiresAtMs: expiresAtMs === Number.POSITIVE_INFINITY ? undefined : expiresAtMs,
    });
  }
  return { kind: 'states', events: newest.events, through };
};

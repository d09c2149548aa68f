// Cursors of one subscription, one per stream of its channel, and the position that they amount to. Pure.
import { encodePosition, type StreamRefs } from '@sluice/schemas';
import type { Cursor } from '../delivery/catch-up.ts';
import type { LiveChannel } from '../delivery/live-channel.ts';
import type { StoredEvent } from '../log/cold.ts';
import { Segment } from '../log/segment.ts';
import type { StreamStart } from './opening.ts';

export const cursorsFrom = (starts: readonly StreamStart[]): Cursor[] =>
  starts.map(({ after, events, through }) => ({
    after: events.length > 0 ? Math.min(after, events[0]!.sequence - 1) : after,
    cold: events.length > 0 ? { segment: toSegment(events), next: 0, through } : undefined,
  }));

/** Where a channel's live subscribers stand. */
export const liveCursors = (channel: LiveChannel): Cursor[] =>
  channel.streams.map((_, stream) => ({ after: channel.settled(stream) }));

/** What was read from JetStream: the events up to `through`. */
export const takePage = (cursor: Cursor, events: readonly StoredEvent[], through: number): void => {
  const reached = Math.max(cursor.after, through);
  if (events.length === 0) cursor.after = reached;
  else cursor.cold = { segment: toSegment(events), next: 0, through: reached };
};

/** Bytes that were read from JetStream and have not been sent. */
export const heldBytesOf = (cursors: readonly Cursor[]): number => {
  let bytes = 0;
  for (const { cold } of cursors) {
    if (cold) bytes += cold.segment.offsets[cold.segment.count]! - cold.segment.offsets[cold.next]!;
  }
  return bytes;
};

export const refsOf = (channel: LiveChannel): StreamRefs => channel.streams.map(({ ref, tail }) => [ref, tail.epoch]);

export const positionOf = (
  channel: LiveChannel,
  starts: readonly Pick<StreamStart, 'after' | 'timeMs' | 'isSettled'>[],
): string => {
  const entries = starts.flatMap(({ after, timeMs, isSettled }, stream) =>
    isSettled ? [{ epoch: channel.streams[stream]!.tail.epoch, sequence: after, timeMs }] : [],
  );
  return encodePosition({ key: channel.resolved.key, entries });
};

/** At the head of every stream. */
export const headPositionOf = (channel: LiveChannel): string =>
  positionOf(
    channel,
    channel.streams.map(({ tail }) => ({ after: tail.head, timeMs: tail.headTimeMs, isSettled: true })),
  );

const toSegment = (events: readonly StoredEvent[]): Segment => {
  const segment = new Segment(events.length);
  for (const { sequence, timeMs, subject, payload, expiresAtMs } of events) {
    segment.append(sequence, timeMs, subject, payload, expiresAtMs);
  }
  segment.seal();
  return segment;
};

// Decides, from leader readings, where a reader goes on and whether the stream still is the one it was reading. Asks the
// leader; creates nothing.

import type { StreamReading } from './jetstream-api.ts';
import type { LogSink } from './log-sink.ts';

export interface StoredAt {
  readonly sequence: number;
  readonly timeMs: number;
}

/** The leader, as far as this file needs it. */
export interface LeaderView {
  /** Message of that sequence, if it is still stored. */
  stored(sequence: number): Promise<StoredAt | undefined>;
  /** Newest message; undefined if none is stored, *or* if the stream's last sequence is deleted (seen: 2.15). */
  last(): Promise<StoredAt | undefined>;
  /** First message with at least that sequence. */
  storedFrom(sequence: number): Promise<StoredAt | undefined>;
}

export type StartPlan = {
  readonly from: { readonly sequence: number } | { readonly timeMs: number };
  readonly covered: Covered;
};

/** Whoever has read through `from` has read through `through`: what was stored between them is deleted. */
export interface Covered {
  readonly from: number;
  readonly through: number;
}

export type ResumePlan =
  /** Go on from the anchor: the first delivery must be exactly this event. */
  | { readonly kind: 'resume'; readonly from: number; readonly anchor: StoredAt | undefined }
  | { readonly kind: 'generation'; readonly cause: 'new_stream' | 'rolled_back' }
  /** The leader ends below our head: counts only if it still does so a while later. */
  | { readonly kind: 'behind' };

/** How many held events are compared one by one when the newest ones were deleted while the reader was away. */
const MAX_ANCHORS = 64;

/**
 * Where a generation's first consumer starts: startMs back by the server's clock, later if that would be more than
 * maxBytes, but never after the newest message: the head always has an event that vouches for it.
 * The reading must be older than the call (covered rests on that order).
 */
export async function planStart(
  leader: LeaderView,
  reading: StreamReading,
  limits: { readonly startMs: number; readonly maxBytes: number; readonly nowMs: number },
): Promise<StartPlan> {
  const newest = await newestOf(leader, reading);
  if (newest === undefined) {
    return { from: { sequence: reading.lastSequence + 1 }, covered: { from: 0, through: reading.lastSequence } };
  }
  const covered = { from: newest.sequence, through: reading.lastSequence };
  const startTimeMs = (reading.serverTimeMs ?? limits.nowMs) - limits.startMs;
  if (newest.timeMs <= startTimeMs) return { from: { sequence: newest.sequence }, covered };
  if (reading.bytes > limits.maxBytes) {
    const meanBytes = Math.max(1, reading.bytes / Math.max(1, reading.messages));
    const sequence = Math.max(1, reading.lastSequence - Math.floor(limits.maxBytes / meanBytes) + 1);
    const first = await leader.storedFrom(sequence);
    if (first !== undefined && first.timeMs > startTimeMs && first.sequence <= newest.sequence) {
      return { from: { sequence: first.sequence }, covered };
    }
  }
  return { from: { timeMs: startTimeMs }, covered };
}

/**
 * Where to go on after a doubt. A consumer that starts *after* the last event can never notice a stream that was rolled
 * back and has grown past the old end, so the start is always an event that we hold and the leader holds too.
 */
export async function planResume(
  leader: LeaderView,
  reading: StreamReading,
  held: { readonly created: string; readonly head: number; readonly headEvent: StoredAt | undefined },
  sink: Pick<LogSink, 'newestBelow'>,
): Promise<ResumePlan> {
  if (reading.created !== held.created) return { kind: 'generation', cause: 'new_stream' };
  if (reading.lastSequence < held.head) return { kind: 'behind' };
  let candidate = held.headEvent ?? sink.newestBelow(held.head + 1);
  // Nothing was ever read of this stream, so nothing can contradict it.
  if (candidate === undefined) return { kind: 'resume', from: held.head + 1, anchor: undefined };

  const first = await compare(leader, candidate);
  if (first !== 'gone') return verdict(first, candidate);

  const newest = await newestOf(leader, reading);
  if (newest !== undefined && newest.sequence < candidate.sequence) {
    candidate = sink.newestBelow(newest.sequence + 1);
    const isOurs = candidate?.sequence === newest.sequence && candidate.timeMs === newest.timeMs;
    return verdict(isOurs ? 'same' : 'other', newest);
  }
  for (let tries = 0; newest !== undefined && tries < MAX_ANCHORS; tries += 1) {
    candidate = sink.newestBelow(candidate.sequence);
    if (candidate === undefined || candidate.sequence < reading.firstSequence) break;
    const outcome = await compare(leader, candidate);
    if (outcome !== 'gone') return verdict(outcome, candidate);
  }
  return { kind: 'generation', cause: 'rolled_back' };
}

async function compare(leader: LeaderView, event: StoredAt): Promise<'same' | 'other' | 'gone'> {
  const stored = await leader.stored(event.sequence);
  if (stored === undefined) return 'gone';
  return stored.timeMs === event.timeMs ? 'same' : 'other';
}

function verdict(outcome: 'same' | 'other', anchor: StoredAt): ResumePlan {
  if (outcome === 'other') return { kind: 'generation', cause: 'rolled_back' };
  return { kind: 'resume', from: anchor.sequence, anchor };
}

async function newestOf(leader: LeaderView, reading: StreamReading): Promise<StoredAt | undefined> {
  if (reading.messages === 0) return undefined;
  let newest = await leader.last();
  if (newest !== undefined) return newest;
  let low = reading.firstSequence;
  let high = reading.lastSequence + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // oxlint-disable-next-line no-await-in-loop -- halving
    const message = await leader.storedFrom(middle);
    if (message === undefined) high = middle;
    else {
      newest = message;
      low = message.sequence + 1;
      // Stored after the reading: newer than anything it can be compared with.
      high = Math.max(high, low);
    }
  }
  return newest;
}

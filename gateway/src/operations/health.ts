// Is this pod delivering? (I8) A pure decision over what the readers tell, and the little memory that it needs.

/** What a reader tells about itself (log/reader.ts has more). */
export interface ReaderHealth {
  readonly stream: string;
  /** When anything, also a heartbeat, last came. */
  readonly lastHeardMs: number;
  readonly head: number;
  /** Last sequence of the stream as the leader named it before its newest reading: time for the event to get here. */
  readonly previousLeaderSequence: number;
  readonly leaderReadMs: number;
}

export interface ReadinessInputs {
  readonly readers: readonly ReaderHealth[];
  /** Every tail was filled once, and the gateway listens. */
  readonly isStarted: boolean;
  readonly isDraining: boolean;
  /** When a canary last came back; absent where there is none. */
  readonly canarySeenMs?: number;
}

type ReadinessReason =
  | { readonly kind: 'starting' }
  | { readonly kind: 'draining' }
  | { readonly kind: 'reader_silent'; readonly stream: string; readonly forMs: number }
  | { readonly kind: 'reader_behind'; readonly stream: string; readonly byEvents: number }
  | { readonly kind: 'leader_unread'; readonly stream: string; readonly forMs: number }
  | { readonly kind: 'canary_missing'; readonly forMs: number };

export interface Readiness {
  readonly isReady: boolean;
  /** What is wrong now. A ready pod may have some: it turns red only after a while. */
  readonly reasons: readonly ReadinessReason[];
  readonly troubledSinceMs?: number;
}

/** Three heartbeats. */
const MAX_SILENCE_MS = 3_000;
/** Two canaries lost, and some. */
const MAX_CANARY_AGE_MS = 5_000;
/** An isolated server sends heartbeats and serves what it has: without a word from the leader nothing is known. */
const MAX_LEADER_AGE_MS = 10_000;

export const NOT_STARTED: Readiness = { isReady: false, reasons: [{ kind: 'starting' }] };

/**
 * The next verdict. A pod becomes ready only with nothing wrong; once ready it stays so for `redAfterMs` of trouble, since
 * an election takes 5 to 8 s and hits all pods at once. Draining counts at once.
 */
export const evaluateReadiness = (
  previous: Readiness,
  inputs: ReadinessInputs,
  redAfterMs: number,
  nowMs: number,
): Readiness => {
  if (inputs.isDraining) return { isReady: false, reasons: [{ kind: 'draining' }] };
  if (!inputs.isStarted) return NOT_STARTED;
  const reasons = inputs.readers.flatMap((reader) => reasonsOf(reader, nowMs));
  const missingMs = nowMs - (inputs.canarySeenMs ?? nowMs);
  if (missingMs > MAX_CANARY_AGE_MS) reasons.push({ kind: 'canary_missing', forMs: missingMs });
  if (reasons.length === 0) return { isReady: true, reasons };
  const troubledSinceMs = previous.troubledSinceMs ?? nowMs;
  return { isReady: previous.isReady && nowMs - troubledSinceMs < redAfterMs, reasons, troubledSinceMs };
};

const reasonsOf = (reader: ReaderHealth, nowMs: number): ReadinessReason[] => {
  const { stream } = reader;
  const reasons: ReadinessReason[] = [];
  const silentMs = nowMs - reader.lastHeardMs;
  if (silentMs > MAX_SILENCE_MS) reasons.push({ kind: 'reader_silent', stream, forMs: silentMs });
  const byEvents = reader.previousLeaderSequence - reader.head;
  if (byEvents > 0) reasons.push({ kind: 'reader_behind', stream, byEvents });
  const unreadMs = nowMs - reader.leaderReadMs;
  if (unreadMs > MAX_LEADER_AGE_MS) reasons.push({ kind: 'leader_unread', stream, forMs: unreadMs });
  return reasons;
};

// Contract between the ordered reader and whoever keeps what it reads. Types only.

import type { GatewayErrorCode } from '../errors.ts';

export interface StreamIdentity {
  readonly stream: string;
  /** Short hash of stream name and `created`; see epochOf in streams.ts. */
  readonly epoch: string;
  /** `created` as the server writes it. */
  readonly created: string;
}

/**
 * What the reader tells: called synchronously, in stream order, while the socket's chunk is parsed. Must not throw; if it
 * does, the event counts as not taken and the reader comes back to it.
 */
export interface LogSink {
  /** A generation begins: everything held of the stream is void; the log is complete from firstSequence on. */
  begin(identity: StreamIdentity, firstSequence: number, cause: 'boot' | 'new_stream' | 'rolled_back'): void;
  /**
   * The next stored event. payload is only valid during the call (a view of the socket's chunk). expiresAtMs is what its
   * `expires` header says, if it has one and its type expires.
   */
  append(sequence: number, timeMs: number, subject: string, payload: Uint8Array, expiresAtMs?: number): void;
  /** A delete marker or anything stored that is not an event: moves the head only (for grants it revokes). */
  skip(sequence: number, timeMs: number, subject: string): void;
  /** Newest event held below `sequence`, for comparing with the leader after a recreate. */
  newestBelow(sequence: number): { sequence: number; timeMs: number } | undefined;
}

export type DoubtCause =
  | 'gap' // a consumer sequence was skipped
  | 'heartbeat_ahead' // a heartbeat names a delivery that never came
  | 'silence' // two heartbeats missed
  | 'disconnected'
  | 'leader_ahead' // our head stayed below what the leader holds for 3 s
  | 'leader_behind' // the leader ends below our head, or the stream is another one
  | 'sink_failed';

export interface ReaderStatus {
  readonly stream: string;
  readonly state: 'starting' | 'reading' | 'recreating' | 'stopped';
  readonly identity: StreamIdentity | undefined;
  /** When anything (event, heartbeat) last came from the consumer. */
  readonly lastHeardMs: number;
  /** Highest sequence the reader vouches for: nothing stored at or below it was missed. */
  readonly head: number;
  /** The leader's last sequence as read independently of the consumer, the reading before it, and when it was read. */
  readonly leaderSequence: number;
  readonly previousLeaderSequence: number;
  readonly leaderReadMs: number;
  /** The first sequence that is stored, of the same reading. */
  readonly leaderFirstSequence: number;
  /** Delivered by this reader since it was created. */
  readonly received: number;
  readonly recreations: number;
  readonly generations: number;
  /** Why the last attempt to get a consumer failed; undefined while reading. */
  readonly trouble: { readonly code: GatewayErrorCode; readonly message: string } | undefined;
  readonly doubts: Readonly<Record<DoubtCause, number>>;
}

export interface Reader {
  /** Resolves once caught up to the head that the stream had when its consumer was created. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): ReaderStatus;
}

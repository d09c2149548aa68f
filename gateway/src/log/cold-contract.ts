// Contract of cold reads: what lies before the tail's start. Types only.

export interface StoredEvent {
  readonly sequence: number;
  readonly timeMs: number;
  readonly subject: string;
  /** Owned by the receiver's page: a view of a buffer that nothing else writes to. */
  readonly payload: Uint8Array;
  readonly isMarker: boolean;
  /** What its `expires` header says, if its type expires. */
  readonly expiresAtMs?: number | undefined;
}

/** What cold needs of the in-memory tail. */
export interface TailView {
  readonly firstSequence: number;
  readonly head: number;
  /** Counts the stream's generations: what was read under another one is void. */
  readonly generation?: number;
  /** First held event that matches a filter, with sequence > after. */
  firstMatch(filters: readonly string[], after: number): { sequence: number; timeMs: number } | undefined;
}

export type ColdRetryCode =
  | 'stale_replica' // a replica answered without events that the stream holds
  | 'nats_unavailable' // no connection, no leader, no answer in time
  | 'overloaded'; // a budget (per stream, per pod) is used up

export interface ColdRetry {
  readonly kind: 'retry';
  readonly afterMs: number;
  readonly code: ColdRetryCode;
}

export interface ColdTruncated {
  readonly kind: 'truncated';
  /** First sequence the stream still holds. */
  readonly firstSequence: number;
  /** What was read: proven complete from there on only. */
  readonly page: ColdPage;
}

export interface ColdPage {
  readonly kind: 'page';
  /** Ascending; delete markers are left out. */
  readonly events: readonly StoredEvent[];
  /** Proven complete through this sequence for these filters. >= tail.firstSequence - 1: the tail goes on from here. */
  readonly through: number;
}

export interface ColdReadRequest {
  readonly stream: string;
  readonly filters: readonly string[];
  readonly after: number;
  readonly tail: TailView;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export interface StatesRequest {
  readonly stream: string;
  readonly filters: readonly string[];
  readonly tail: TailView;
  /** Newest states kept; default 200. */
  readonly maxStates: number;
}

export type StatesResult =
  | { readonly kind: 'states'; readonly events: readonly StoredEvent[]; readonly through: number }
  | { readonly kind: 'too_large' }
  | ColdRetry;

/** Start reading at the first event after this sequence. */
export type CursorResult = { readonly kind: 'cursor'; readonly after: number } | ColdRetry;

export interface StoredAt {
  readonly sequence: number;
  readonly timeMs: number;
}

export type EventResult = { readonly kind: 'event'; readonly event: StoredAt | undefined } | ColdRetry;

export type NeighboursResult =
  | { readonly kind: 'neighbours'; readonly below: StoredAt | undefined; readonly above: StoredAt | undefined }
  | ColdRetry;

export type LeaderResult =
  | {
      readonly kind: 'leader';
      readonly firstSequence: number;
      readonly lastSequence: number;
      readonly created: string;
      /** Names a cluster leader, or is unclustered: only then do the figures count. */
      readonly hasLeader: boolean;
    }
  | ColdRetry;

export interface Cold {
  read(request: ColdReadRequest): Promise<ColdPage | ColdTruncated | ColdRetry>;
  /** Unfiltered read of one sequence, for checking a position's own event. */
  event(stream: string, sequence: number): Promise<EventResult>;
  /** Nearest stored events below and above a sequence. */
  neighbours(stream: string, sequence: number): Promise<NeighboursResult>;
  states(request: StatesRequest): Promise<StatesResult>;
  /** A cursor from which at least `count` matching events (or all there are) follow: the first page trims. */
  lastN(stream: string, filters: readonly string[], count: number, tail: TailView): Promise<CursorResult>;
  /** A cursor before everything stored in the last `sinceMs`, by the server's clock. */
  since(stream: string, sinceMs: number): Promise<CursorResult>;
  leader(stream: string): Promise<LeaderResult>;
}

// What presence keeps, and where: the port between the rules (settle.ts, lease-watch.ts, presence.ts) and NATS
// (kv-store.ts). Types only.
//
//   lease.<pod>          one per pod, written every few seconds: as long as it is alive, the pod's entries count
//   user.<user>.<pod>    one per user and pod, from the first device there to the last
//   the user's events    `online` and `offline`: what has been told

/** `left`: the pod ended and left entries behind. `dead`: another pod has declared it so, and clears its entries away. */
export type LeaseState = 'alive' | 'left' | 'dead';

export interface Lease {
  readonly pod: string;
  readonly state: LeaseState;
  /** Its place in the bucket: every write makes a new one. */
  readonly sequence: number;
  /** When it was stored, by the server's clock. */
  readonly timeMs: number;
}

export type UserState = 'online' | 'offline';

/** Sequences of the newest events of the user; 0 where there is none. The higher one is what has been told. */
export type Told = Readonly<Record<UserState, number>>;

/**
 * Every method throws if it cannot be known whether it was done; all may be done again. Reads are by the stream's leader,
 * unless they say otherwise.
 */
export interface PresenceStore {
  putEntry(user: string, pod: string): Promise<void>;
  removeEntry(user: string, pod: string): Promise<void>;
  /** Pods with an entry of the user, whether they live or not. */
  podsOf(user: string): Promise<readonly string[]>;
  /** Users with an entry of the pod, and those whose entry was removed a moment ago. */
  usersOf(pod: string): Promise<readonly string[]>;
  readTold(user: string): Promise<Told>;
  /** False if an event of this state was stored since the one with the sequence `after`. */
  tell(user: string, state: UserState, after: number): Promise<boolean>;
  /** The new sequence; undefined if the lease's last one is not `after` (0: none). */
  writeLease(pod: string, state: LeaseState, after: number): Promise<number | undefined>;
  readLease(pod: string): Promise<Lease | undefined>;
  /** Any replica's view: good for suspicions only. */
  listLeases(): Promise<readonly Lease[]>;
  /** Does nothing if the lease's last sequence is not `after`. */
  removeLease(pod: string, after: number): Promise<void>;
}

// What every session of a pod shares. Built once by the composition root.
import type { Catalogue, CloseReason, ErrorCode, ResetReason } from '@sluice/schemas';
import type { Authenticator } from '../access/auth.ts';
import type { Grants } from '../access/grants.ts';
import type { Users } from '../access/limits.ts';
import type { Commands, RequestCounters } from '../commands/commands.ts';
import type { Channels } from '../delivery/channels.ts';
import type { ChunkCache } from '../delivery/catch-up.ts';
import type { Effects } from '../delivery/effects.ts';
import type { Endings } from '../delivery/endings.ts';
import type { EventWriter } from '../delivery/event-writer.ts';
import type { Pump } from '../delivery/pump.ts';
import type { Cold } from '../log/cold.ts';
import type { Tail } from '../log/tail.ts';
import type { Clock } from '../operations/clock.ts';
import type { ChannelPresence } from '../presence/channel-presence.ts';
import type { Subscription } from './subscription.ts';

export interface SessionLimits {
  readonly pingIntervalMs: number;
  readonly helloTimeoutMs: number;
  readonly maxUnauthenticatedBytes: number;
  readonly maxFrameBytes: number;
  readonly maxSubscriptions: number;
  readonly subscribesPerSecond: number;
  readonly subscribeBurst: number;
  readonly socketBudgetBytes: number;
  readonly tokenExpiringMs: number;
  /** States that a subscription begins with at most, per stream. */
  readonly maxStates: number;
}

/** What sessions count. Plain numbers: the hot path pays an addition, metrics read them when asked. */
export interface SessionCounters extends RequestCounters {
  delivered: number;
  sentMessages: number;
  sentBytes: number;
  fromTail: number;
  fromCold: number;
  fellBehind: number;
  recovered: number;
  coldReads: number;
  readonly resets: Partial<Record<ResetReason, number>>;
  readonly errors: Partial<Record<ErrorCode, number>>;
  readonly closes: Partial<Record<CloseReason, number>>;
}

export const createSessionCounters = (): SessionCounters => ({
  delivered: 0,
  sentMessages: 0,
  sentBytes: 0,
  fromTail: 0,
  fromCold: 0,
  fellBehind: 0,
  recovered: 0,
  coldReads: 0,
  resets: {},
  errors: {},
  closes: {},
  commands: {},
  calls: {},
  requestsInFlight: 0,
});

export interface Pod {
  readonly catalogue: Catalogue;
  readonly tails: ReadonlyMap<string, Tail>;
  readonly channels: Channels;
  readonly chunks: ChunkCache;
  readonly writer: EventWriter;
  readonly pump: Pump;
  readonly endings: Endings;
  readonly cold: Cold;
  /** Absent where no command of the catalogue becomes an ephemeral event. */
  readonly effects?: Effects | undefined;
  readonly authenticator: Authenticator;
  /** Absent where the catalogue has no channel that takes a grant. */
  readonly grants?: Grants;
  readonly users: Users;
  /** Who is on a channel. Absent where the catalogue lets nobody ask. */
  readonly presence?: ChannelPresence;
  readonly commands: Commands;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly limits: SessionLimits;
  readonly counters: SessionCounters;
  /** Subscriptions whose position lies past this pod's head; polled by the sweep. */
  readonly waiting: Set<Subscription>;
  /** The last sequence of a stream as its leader told it, independently of the reader; undefined before that. */
  readonly leaderOf: (stream: string) => { readonly lastSequence: number; readonly readMs: number } | undefined;
  /** Nothing that is stored in a stream up to here was missed. Past the tail's head where the newest messages are gone. */
  readonly readThrough: (stream: string) => number;
  readonly onFault: (error: unknown, where: string) => void;
}

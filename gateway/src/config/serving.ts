// What is served, to how many, and how much of the pod each may have.
import { PRESENCE_BUCKET } from '@sluice/schemas';
import { KiB, MiB, MINUTE, SECOND } from './units.ts';
import { choice, flag, integer, requiredText, type Option } from './values.ts';

const VALIDATE = ['all', 'sample', 'off'] as const;
const ON_INVALID = ['drop', 'pass'] as const;

export interface ServingOptions {
  readonly catalogue: string;
  readonly grantsBucket: string;
  readonly presenceBucket: string;
  readonly presenceLingerMs: number;
  readonly presenceLeaseMs: number;
  readonly presenceDeadAfterMs: number;
  readonly tailSeconds: number;
  readonly tailMaxBytes: number;
  readonly validate: (typeof VALIDATE)[number];
  readonly onInvalid: (typeof ON_INVALID)[number];

  readonly flushIntervalMs: number;
  readonly pingIntervalMs: number;
  readonly helloTimeoutMs: number;
  readonly unauthenticatedMaxBytes: number;
  readonly maxFrameBytes: number;
  readonly socketBudgetBytes: number;
  readonly compression: boolean;
  readonly snapshotMaxStates: number;

  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerSocket: number;
  readonly maxSubscriptionsPerUser: number;
  readonly subscribesPerSecond: number;
  readonly subscribeBurst: number;
  readonly subscribesPerSecondPerUser: number;
  readonly subscribeBurstPerUser: number;
  readonly maxQueuedBytesPerUser: number;
  readonly coldReadsPerStream: number;
  readonly coldReadsPerUser: number;
  readonly coldReadMaxBytes: number;
  readonly ephemeralPerSecond: number;
}

const EVENTS = 'Events';
const CONNECTIONS = 'Connections';
const LIMITS = 'Limits';

export const SERVING: { readonly [K in keyof ServingOptions]: Option<ServingOptions[K]> } = {
  catalogue: requiredText({
    section: EVENTS,
    default: 'rez',
    accepts: '`rez`, `orders` or the path of a module',
    help: 'What there is to subscribe to: a shipped catalogue (the whole reference domain, or its orders alone), or an ES module that exports `catalogue`.',
  }),
  grantsBucket: requiredText({
    section: EVENTS,
    default: 'grants',
    refuse: (value) => (/^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be letters, digits, `_` and `-`'),
    help: 'Key-value bucket of memberships. Read only where the catalogue has channels that take a grant; it must exist then.',
  }),
  presenceBucket: requiredText({
    section: EVENTS,
    default: PRESENCE_BUCKET,
    refuse: (value) => (/^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be the name of a key-value bucket'),
    help: 'Key-value bucket (stream `KV_<name>`) in which pods keep who is online. Only needed where the catalogue has presence.',
  }),
  presenceLingerMs: integer({
    section: EVENTS,
    default: 3 * SECOND,
    min: 0,
    max: MINUTE,
    help: 'How long a user whose last device has gone still counts as online, so that a reconnection is not told.',
  }),
  presenceLeaseMs: integer({
    section: EVENTS,
    default: 4 * SECOND,
    min: 100,
    max: MINUTE,
    help: 'How often a pod writes that it lives, which stands for all of its users.',
  }),
  presenceDeadAfterMs: integer({
    section: EVENTS,
    default: 16 * SECOND,
    min: 500,
    max: 10 * MINUTE,
    help: 'After such a time without that, by the clock of NATS, another pod tells that its users are offline. At least three times the interval.',
  }),
  tailSeconds: integer({
    section: EVENTS,
    default: 60,
    min: 0,
    max: 24 * 3_600,
    help: 'How far back the tail (the newest events, in memory) is filled at start.',
  }),
  tailMaxBytes: integer({
    section: EVENTS,
    default: 64 * MiB,
    min: MiB,
    max: 16 * 1_024 * MiB,
    help: 'Bytes of all tails of the pod. 64 MiB hold about 200,000 events.',
  }),
  validate: choice({
    section: EVENTS,
    choices: VALIDATE,
    default: 'all',
    help: 'Which events are checked against their schema. Malformed bytes never pass, whatever is set here.',
  }),
  onInvalid: choice({
    section: EVENTS,
    choices: ON_INVALID,
    default: 'drop',
    help: 'What happens to an event that is well formed but breaks its schema. It is counted and logged either way.',
  }),
  flushIntervalMs: integer({
    section: CONNECTIONS,
    default: 5,
    min: 0,
    max: SECOND,
    help: 'A busy channel is flushed at most this often; a quiet one at once.',
  }),
  pingIntervalMs: integer({
    section: CONNECTIONS,
    default: 25 * SECOND,
    min: SECOND,
    // A client gives a link up after a minute without a frame, whatever the interval.
    max: 45 * SECOND,
    help: 'Pings carry how far the streams have come, and find dead links: silence of twice this and the hello timeout ends a connection.',
  }),
  helloTimeoutMs: integer({
    section: CONNECTIONS,
    default: 5 * SECOND,
    min: 100,
    max: 5 * MINUTE,
    help: 'How long a connection may stay without a hello.',
  }),
  unauthenticatedMaxBytes: integer({
    section: CONNECTIONS,
    default: 64 * KiB,
    min: KiB,
    max: 1_000_000,
    help: 'What a connection may send before its token is verified.',
  }),
  maxFrameBytes: integer({
    section: CONNECTIONS,
    default: 1_000_000,
    min: KiB,
    max: 1_000_000,
    help: 'Longest message of a client.',
  }),
  socketBudgetBytes: integer({
    section: CONNECTIONS,
    default: 256 * KiB,
    min: 16 * KiB,
    max: 64 * MiB,
    help: 'Bytes that may wait in one socket. Beyond it the client falls behind and reads the log when it catches up.',
  }),
  compression: flag({
    section: CONNECTIONS,
    default: false,
    help: 'permessage-deflate. Costs CPU per message and memory per connection.',
  }),
  snapshotMaxStates: integer({
    section: CONNECTIONS,
    default: 200,
    min: 1,
    max: 1_024,
    help: 'How many states a subscription begins with at most, per stream, within 4 MiB; the newest ones.',
  }),
  maxConnections: integer({
    section: LIMITS,
    default: 100_000,
    min: 1,
    max: 10_000_000,
    help: 'Connections per pod.',
  }),
  maxConnectionsPerUser: integer({
    section: LIMITS,
    default: 32,
    min: 1,
    max: 1_000_000,
    help: 'Connections of one user to this pod.',
  }),
  maxSubscriptionsPerSocket: integer({
    section: LIMITS,
    default: 128,
    min: 1,
    max: 100_000,
    help: 'Subscriptions of one connection.',
  }),
  maxSubscriptionsPerUser: integer({
    section: LIMITS,
    default: 1_024,
    min: 1,
    max: 10_000_000,
    help: 'Subscriptions of one user over all its connections to this pod.',
  }),
  subscribesPerSecond: integer({
    section: LIMITS,
    default: 50,
    min: 1,
    max: 100_000,
    help: 'Subscribe requests of one connection, on average.',
  }),
  subscribeBurst: integer({
    section: LIMITS,
    default: 256,
    min: 1,
    max: 1_000_000,
    help: 'Subscribe requests of one connection at once, as after a reconnect.',
  }),
  subscribesPerSecondPerUser: integer({
    section: LIMITS,
    default: 200,
    min: 1,
    max: 1_000_000,
    help: 'Subscribe requests of one user over all its connections to this pod, on average.',
  }),
  subscribeBurstPerUser: integer({
    section: LIMITS,
    default: 1_024,
    min: 1,
    max: 10_000_000,
    help: 'Subscribe requests of one user over all its connections at once.',
  }),
  maxQueuedBytesPerUser: integer({
    section: LIMITS,
    default: 4 * MiB,
    min: 16 * KiB,
    max: 1_024 * MiB,
    help: 'Bytes that may wait in the sockets of one user.',
  }),
  coldReadsPerStream: integer({
    section: LIMITS,
    default: 4,
    min: 1,
    max: 256,
    help: 'Reads of events older than the tail that run at once per stream. They slow down publishing.',
  }),
  coldReadsPerUser: integer({
    section: LIMITS,
    default: 2,
    min: 1,
    max: 256,
    help: 'Reads of events older than the tail that run at once for one user.',
  }),
  coldReadMaxBytes: integer({
    section: LIMITS,
    default: 16 * MiB,
    min: 512 * KiB,
    max: 1_024 * MiB,
    help: 'Bytes that all such reads of the pod may have under way.',
  }),
  ephemeralPerSecond: integer({
    section: LIMITS,
    default: 5_000,
    min: 1,
    max: 1_000_000,
    help: 'Ephemeral events (typing) that somebody on this pod listens to, per second; more are dropped and counted.',
  }),
};

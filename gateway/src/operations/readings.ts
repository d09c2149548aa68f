// Asks every part for its figures when metrics are scraped.
import type { GrantBook } from '../access/grants.ts';
import type { Users } from '../access/limits.ts';
import type { Channels } from '../delivery/channels.ts';
import type { Conflation } from '../delivery/conflation.ts';
import type { Ephemeral } from '../delivery/ephemeral.ts';
import type { PayloadGate } from '../delivery/payload-gate.ts';
import type { Presence } from '../presence/presence.ts';
import type { Reader } from '../log/reader.ts';
import type { Tail } from '../log/tail.ts';
import type { SessionCounters } from '../sessions/pod.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Readiness } from './health.ts';
import type { GrantReadings, PresenceReadings, Readings, StreamReadings } from './metrics.ts';

export interface ReadingSources {
  readonly nowMs: number;
  readonly readiness: Readiness;
  readonly sessions: Sessions;
  readonly users: Users;
  readonly channels: Channels;
  readonly counters: SessionCounters;
  readonly refusals: Readings['refusals'];
  readonly gate: PayloadGate;
  readonly conflation: Conflation;
  readonly ephemeral: Ephemeral | undefined;
  readonly grants: GrantBook | undefined;
  readonly presence: Presence | undefined;
  readonly auth: Readings['auth'];
  readonly readers: ReadonlyMap<string, Reader>;
  readonly tails: ReadonlyMap<string, Tail>;
}

export const takeReadings = (from: ReadingSources): Readings => {
  const connections = { msgpack: 0, json: 0 };
  let subscriptions = 0;
  let subscriptionsBehind = 0;
  for (const session of from.sessions) {
    connections[session.encoding]++;
    for (const { phase } of session.subscriptions) {
      subscriptions++;
      if (phase !== 'live') subscriptionsBehind++;
    }
  }
  return {
    nowMs: from.nowMs,
    isReady: from.readiness.isReady,
    connections,
    connectionsTotal: from.sessions.acceptedCount,
    users: from.users.size,
    subscriptions,
    subscriptionsBehind,
    channels: from.channels.size,
    flushes: from.channels.flushCount,
    ...from.counters,
    refusals: from.refusals,
    conflated: from.conflation.leftOutCount,
    expired: from.gate.expiredCount,
    ephemeral: ephemeralCounts(from.ephemeral),
    ...(from.grants && { grants: grantReadings(from.grants) }),
    ...(from.presence && { presence: presenceReadings(from.presence) }),
    auth: from.auth,
    streams: [...from.readers].map(([stream, reader]) => readStream(reader, from.tails.get(stream)!)),
  };
};

const grantReadings = ({ size, suspendedCount, isCurrent }: GrantBook): GrantReadings => ({
  inUse: size,
  suspended: suspendedCount,
  isCurrent,
});

const presenceReadings = ({ told, alivePods, pending }: Presence): PresenceReadings => ({
  told,
  pods: alivePods,
  pending,
});

const ephemeralCounts = (ephemeral: Ephemeral | undefined): Readings['ephemeral'] => {
  if (!ephemeral) return {};
  const { received, overLimit, tooLarge, refused, sent, slow } = ephemeral.counts;
  return { received, over_limit: overLimit, too_large: tooLarge, refused, sent, slow };
};

const readStream = (reader: Reader, tail: Tail): StreamReadings => {
  const { stream, received, lastHeardMs, leaderSequence, recreations, generations, doubts } = reader.status();
  return {
    stream,
    eventsRead: received,
    lastHeardMs,
    leaderSequence,
    recreations,
    generations,
    doubts,
    moves: 0,
    head: tail.head,
    tailFirstSequence: tail.firstSequence,
    tailEvents: tail.eventCount,
    tailBytes: tail.byteLength,
    headTimeMs: tail.headTimeMs,
  };
};

// The composition root: connects the parts in the order in which an event meets them, starts and stops them.
import { randomBytes } from 'node:crypto';
import { hasPresence, type Catalogue } from '@sluice/schemas';
import { createAuthenticator } from './access/auth.ts';
import { Users } from './access/limits.ts';
import { claimsOf, takesGrants } from './access/permission.ts';
import type { Config } from './config.ts';
import { createCommandStore } from './commands/command-store.ts';
import { Commands, requestLimits } from './commands/commands.ts';
import { ChunkCache } from './delivery/catch-up.ts';
import { Channels } from './delivery/channels.ts';
import { Conflation } from './delivery/conflation.ts';
import { Effects } from './delivery/effects.ts';
import { Ephemeral } from './delivery/ephemeral.ts';
import { Endings } from './delivery/endings.ts';
import { EventWriter } from './delivery/event-writer.ts';
import { PayloadGate, type Refusal } from './delivery/payload-gate.ts';
import { Pump } from './delivery/pump.ts';
import { compileRoutes } from './delivery/routes.ts';
import { createCold } from './log/cold.ts';
import { publishEphemeral, subscribeEphemeral } from './log/ephemeral-link.ts';
import { checkGrantStream, createGrantLog, type GrantLog } from './log/grant-log.ts';
import { connectToNats, type Nats, type NatsLink } from './log/nats.ts';
import { natsLogin } from './log/nats-login.ts';
import { createReader, type Reader } from './log/reader.ts';
import { createStreamLog } from './log/stream-log.ts';
import { checkStreams } from './log/streams.ts';
import { Tail, TailMemory } from './log/tail.ts';
import { TypeTable } from './log/type-table.ts';
import { Canary } from './operations/canary.ts';
import { delay, type Clock } from './operations/clock.ts';
import { evaluateReadiness, NOT_STARTED, type Readiness } from './operations/health.ts';
import { throttleLog, type Logger } from './operations/log.ts';
import { createMetrics } from './operations/metrics.ts';
import { takeReadings } from './operations/readings.ts';
import { createOperationsServer } from './operations/server.ts';
import { count } from './operations/count.ts';
import { createPodPresence, type PodPresence } from './presence/pod-presence.ts';
import { createSessionCounters, type Pod } from './sessions/pod.ts';
import { Sessions } from './sessions/sessions.ts';
import { createWebSocketServer } from './transports/uws.ts';

export interface GatewayDependencies {
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export interface Gateway {
  /** Resolves when clients are served. Throws a GatewayError if the streams cannot be served or a port is taken. */
  start(): Promise<{ readonly port: number; readonly operationsPort: number }>;
  /** Not ready, no new connections; clients are asked to go elsewhere within the drain window. Then closes. */
  stop(): Promise<void>;
}

const SWEEP_MS = 500;
const PUMP_SLICE_MS = 4;
/** Holds what a storm of resumes goes through in a cycle: 1,000 channels with 100 events each are 20 MB. */
const CHUNK_CACHE_BYTES = 32 * 1024 * 1024;
/** Enough for the close codes of honest slow clients; a flood of others is cut off. */
const MAX_LINGERING_BYTES = 32 * 1024 * 1024;
/** Batches are cut so that several fit into a socket's budget. */
const BATCHES_PER_BUDGET = 4;

export const createGateway = (config: Config, { catalogue, clock, log, random }: GatewayDependencies): Gateway => {
  const refusals: Partial<Record<Refusal, number>> = {};
  const logRefusal = throttleLog(log, 'warn', { perSecond: 5, burst: 20 }, clock);
  // A fault that one client can cause may come again and again.
  const logFault = throttleLog(log, 'error', { perSecond: 5, burst: 20 }, clock);
  // An outage of NATS makes one for each command that is under way.
  const logTrouble = throttleLog(log, 'warn', { perSecond: 5, burst: 20 }, clock);
  const onFault = (error: unknown, where = 'transport'): void => void logFault({ err: error, where }, 'fault');
  const routes = compileRoutes(catalogue);
  const memory = new TailMemory(config.tailMaxBytes);
  const tails = new Map(catalogue.streams.map(({ name }) => [name, new Tail(name, routes.filtersOf, memory)]));
  const gate = new PayloadGate(catalogue, {
    validate: config.validate,
    onInvalid: config.onInvalid,
    onRefused: (subject, sequence, refusal, reason) => {
      count(refusals, refusal);
      logRefusal({ subject, sequence, refusal, reason, action: config.onInvalid }, 'payload refused');
    },
    nowMs: () => clock.now(),
  });
  const writer = new EventWriter(catalogue, gate);
  const conflation = new Conflation(catalogue, gate);
  const ephemeral = hasEphemeral(catalogue)
    ? new Ephemeral({ gate, clock, perSecond: config.ephemeralPerSecond })
    : undefined;
  const channels = new Channels({
    tails,
    routes,
    writer,
    conflation,
    ephemeral,
    clock,
    flushIntervalMs: config.flushIntervalMs,
    maxBatchBytes: config.socketBudgetBytes / BATCHES_PER_BUDGET,
    atEndOfTick: setImmediate,
  });
  const pump = new Pump({ monotonicMs: () => performance.now(), defer: setImmediate, sliceMs: PUMP_SLICE_MS });
  const authenticator = createAuthenticator(
    {
      key: config.verificationKey,
      ...(config.tokenIssuer.length > 0 && { issuer: config.tokenIssuer }),
      ...(config.tokenAudience.length > 0 && { audience: config.tokenAudience }),
      clockToleranceMs: config.tokenClockToleranceMs,
      maxTokenBytes: config.tokenMaxBytes,
      subjectEncoding: config.subjectEncoding,
      role: catalogue.role,
      claims: claimsOf(catalogue),
      jwks: { timeoutMs: config.jwksTimeoutMs, cooldownMs: config.jwksCooldownMs, maxAgeMs: config.jwksMaxAgeMs },
    },
    clock,
  );
  const readers = new Map<string, Reader>();
  const counters = createSessionCounters();
  let nats: Nats | undefined;
  let canary: Canary | undefined;
  let grantLog: GrantLog | undefined;
  let presence: PodPresence | undefined;
  let stopCold = (): void => {};
  let isStarted = false;
  let isDraining = false;
  let readiness: Readiness = NOT_STARTED;

  const start = async (): Promise<{ port: number; operationsPort: number }> => {
    const operationsPort = await operations.listen();
    log.info({ operationsPort }, 'health and metrics');
    nats = await connect();
    await checkStreams(nats.requests, [...tails.keys()], storesCommands(catalogue) ? config.commandStream : undefined);
    grantLog = takesGrants(catalogue) ? await openGrants(nats) : undefined;
    presence = hasPresence(catalogue) ? await openPresence(nats) : undefined;
    const cold = createCold({
      nats,
      clock,
      readsPerStream: config.coldReadsPerStream,
      maxBytes: config.coldReadMaxBytes,
      random,
      filtersOf: routes.filtersOf,
      mayExpire: expiringSubjects(catalogue),
    });
    stopCold = () => cold.close();
    const effects = createEffects(nats.requests);
    const pod: Pod = {
      catalogue,
      tails,
      channels,
      chunks: new ChunkCache({ maxBytes: CHUNK_CACHE_BYTES, conflation, nowMs: () => clock.now() }),
      writer,
      pump,
      endings: new Endings(catalogue, (subject, payload) => gate.peek(subject, payload)),
      cold,
      authenticator,
      ...(grantLog && { grants: grantLog.grants }),
      users,
      ...(presence && { presence: presence.channels }),
      effects,
      commands: createCommands(nats.requests, effects),
      clock,
      random,
      limits: {
        pingIntervalMs: config.pingIntervalMs,
        helloTimeoutMs: config.helloTimeoutMs,
        tokenExpiringMs: config.tokenExpiringMs,
        maxUnauthenticatedBytes: config.unauthenticatedMaxBytes,
        maxFrameBytes: config.maxFrameBytes,
        maxSubscriptions: config.maxSubscriptionsPerSocket,
        subscribesPerSecond: config.subscribesPerSecond,
        subscribeBurst: config.subscribeBurst,
        socketBudgetBytes: config.socketBudgetBytes,
        maxStates: config.snapshotMaxStates,
      },
      counters,
      waiting: new Set(),
      leaderOf: (stream) => {
        const status = readers.get(stream)?.status();
        return status && status.leaderReadMs > 0
          ? { lastSequence: status.leaderSequence, readMs: status.leaderReadMs }
          : undefined;
      },
      readThrough: (stream) => readers.get(stream)?.status().head ?? 0,
      onFault,
    };
    sessions.open(pod);
    await Promise.all([grantLog?.reader.start(), ...[...tails.values()].map((tail) => read(tail, nats!))]);
    if (config.canaryStream !== undefined) {
      const { requests } = nats;
      const publish = (subject: string, payload: string): void => requests.publish(subject, payload);
      canary = new Canary({ catalogue, channels, clock, podId: randomBytes(9).toString('base64url'), publish });
      canary.start();
    }
    // Not over the connection of the readers: a flood of these may cost answers, never stored events.
    if (ephemeral) subscribeEphemeral(nats.requests, (...event) => ephemeral.receive(...event));
    await presence?.start();
    const port = await sockets.listen();
    clock.setInterval(() => sessions.sweep(clock.now()), SWEEP_MS);
    isStarted = true;
    log.info({ port, operationsPort, streams: [...tails.keys()] }, 'listening');
    return { port, operationsPort };
  };

  const createEffects = (link: NatsLink): Effects | undefined => {
    if (![...catalogue.commands.values()].some(({ effect }) => effect)) return undefined;
    return new Effects({ catalogue, clock, publish: (...event) => publishEphemeral(link, ...event) });
  };

  const createCommands = (link: NatsLink, effects: Effects | undefined): Commands =>
    new Commands({
      catalogue,
      store: createCommandStore({
        link,
        stream: config.commandStream,
        ackTimeoutMs: config.commandAckTimeoutMs,
        clock,
      }),
      request: (subject, payload, timeoutMs) => link.request(subject, payload, timeoutMs),
      limits: requestLimits(config, link.maxPayloadBytes),
      clock,
      counters,
      effects,
      onTrouble: (where, reason) => void logTrouble({ where, reason }, 'not done for a client'),
    });

  const connect = (): Promise<Nats> =>
    connectToNats({
      servers: config.natsUrl,
      name: 'sluice-gateway',
      clock,
      connectTimeoutMs: config.natsConnectTimeoutMs,
      ...natsLogin(config),
      ...(config.natsInboxPrefix !== undefined && { inboxPrefix: config.natsInboxPrefix }),
      onNotice: (notice) => log.warn(notice, 'nats'),
    });

  const openGrants = async (from: Nats): Promise<GrantLog> => {
    await checkGrantStream(from, config.grantsBucket);
    return createGrantLog({
      bucket: config.grantsBucket,
      nats: from,
      clock,
      onFault,
      onGeneration: (stream, cause) => log.warn({ stream, cause }, 'the stream is another one: confirming members'),
      onDoubt: (stream, cause) => log.warn({ stream, cause }, 'reading again'),
    });
  };

  const openPresence = (to: Nats): Promise<PodPresence> =>
    createPodPresence({
      catalogue,
      link: to.requests,
      clock,
      log,
      bucket: config.presenceBucket,
      lingerMs: config.presenceLingerMs,
      leaseMs: config.presenceLeaseMs,
      deadAfterMs: config.presenceDeadAfterMs,
    });

  const read = async (tail: Tail, to: Nats): Promise<void> => {
    const tailLog = createStreamLog({
      tail,
      channels,
      onGeneration: (changed, cause) => {
        log.warn({ stream: changed.stream, cause }, 'the stream is another one: resetting its subscribers');
        sessions.reset(changed, cause);
      },
    });
    const reader = createReader({
      stream: tail.stream,
      nats: to,
      sink: presence?.watch(tail.stream, tailLog) ?? tailLog,
      clock,
      startMs: config.tailSeconds * 1_000,
      maxBackfillBytes: config.tailMaxBytes / tails.size,
      mayExpire: expiringSubjects(catalogue, tail.stream),
      onDoubt: (stream, cause) => log.warn({ stream, cause }, 'reading again'),
    });
    readers.set(tail.stream, reader);
    await reader.start();
    log.info({ stream: tail.stream, events: tail.eventCount, head: tail.head }, 'tail filled');
  };

  const shutDown = async (): Promise<void> => {
    isDraining = true;
    log.info({ connections: sessions.size, windowMs: config.drainWindowMs }, 'draining');
    sessions.drain(config.drainWindowMs);
    const endMs = clock.now() + config.shutdownTimeoutMs;
    const deadlineMs = clock.now() + Math.min(config.drainWindowMs, config.shutdownTimeoutMs);
    while (sessions.size > 0 && clock.now() < deadlineMs) await delay(clock, 100);
    sockets.close();
    sessions.closeAll('drain');
    await presence?.stop(Math.max(0, endMs - clock.now()));
    channels.close();
    await Promise.all([grantLog?.stop(), ...[...readers.values()].map((reader) => reader.stop())]);
    canary?.stop();
    stopCold();
    await nats?.close();
    metrics.close();
    await operations.close();
    log.info('closed');
  };
  // Whoever asks a second time waits for the same end: the process exits when it is told that it came.
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= shutDown());

  const users = new Users(
    {
      connections: config.maxConnectionsPerUser,
      subscriptions: config.maxSubscriptionsPerUser,
      queuedBytes: config.maxQueuedBytesPerUser,
      coldReads: config.coldReadsPerUser,
      subscribesPerSecond: config.subscribesPerSecondPerUser,
      subscribeBurst: config.subscribeBurstPerUser,
    },
    { came: (user) => presence?.users.came(user), left: (user) => presence?.users.left(user) },
  );
  const sessions = new Sessions(() => randomBytes(9).toString('base64url'));
  const metrics = createMetrics(() =>
    takeReadings({
      nowMs: clock.now(),
      readiness: check(),
      sessions,
      users,
      channels,
      counters,
      refusals,
      gate,
      conflation,
      ephemeral,
      grants: grantLog?.grants,
      presence: presence?.users,
      auth: authenticator.outcomes,
      readers,
      tails,
    }),
  );
  const check = (): Readiness => {
    const statuses = [...readers.values(), ...(grantLog ? [grantLog.reader] : [])].map((reader) => reader.status());
    readiness = evaluateReadiness(
      readiness,
      { readers: statuses, isStarted, isDraining, ...(canary && { canarySeenMs: canary.seenMs }) },
      config.readyRedAfterMs,
      clock.now(),
    );
    return readiness;
  };
  const operations = createOperationsServer({
    host: config.operationsHost,
    port: config.operationsPort,
    readiness: check,
    metrics,
  });
  const sockets = createWebSocketServer({
    host: config.host,
    port: config.port,
    path: '/v1/ws',
    maxFrameBytes: config.maxFrameBytes,
    isCompressed: config.compression,
    isTokenInQueryAllowed: config.tokenInQuery,
    // Sessions notice silence by themselves, within three intervals and the hello timeout, and say so.
    idleTimeoutMs: 4 * config.pingIntervalMs + config.helloTimeoutMs,
    maxLingeringBytes: MAX_LINGERING_BYTES,
    clock,
    accept: (connection, upgrade) => sessions.accept(connection, upgrade),
    refusal: () => {
      if (isDraining) return 'draining';
      return sessions.size >= config.maxConnections ? 'too many connections' : undefined;
    },
    onFault,
  });
  return { start, stop };
};

/** Whether a subject's events expire; undefined where none does. */
const expiringSubjects = (catalogue: Catalogue, stream?: string): ((subject: string) => boolean) | undefined => {
  const table = new TypeTable(catalogue, ({ expires }, family) =>
    expires && (stream === undefined || family.stream === stream) ? true : undefined,
  );
  return table.isEmpty ? undefined : (subject) => table.find(subject) === true;
};

const hasEphemeral = ({ families }: Catalogue): boolean =>
  [...families.values()].some(({ types }) => [...types.values()].some(({ kind }) => kind === 'ephemeral'));

/** A command that only becomes an ephemeral event is stored nowhere. */
const storesCommands = ({ commands }: Catalogue): boolean =>
  [...commands.values()].some(({ effect }) => effect === undefined);

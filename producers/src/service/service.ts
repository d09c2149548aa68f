// Runs one service: folds what the streams hold, decides what its inboxes bring, acts on time. Several copies may run.
// The shell; what a service is for is in its definition, how a decision is stored in decider.ts.
import {
  type Actor,
  CALL_ROOT,
  COMMAND_ROOT,
  COMMAND_STREAM,
  type CommandEnvelope,
  parseSubjectToken,
} from '@sluice/schemas';
import type { Subscription } from '@nats-io/transport-node';
import { type Clock, systemClock, wait } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import type { Connection } from '../nats.ts';
import { causeOfCommand, causeOfEvent, causeOfTick, contextOf, type PlannedEvent } from './decision.ts';
import { Decider, type DeciderStats, type Plan } from './decider.ts';
import type { AnyService, Consequence, Effect, PastEvent, ServiceCommand, Verdict } from './definition.ts';
import { filtersOf } from './event-decoder.ts';
import { Inbox, type InboxMessage } from './inbox.ts';
import { ServiceLog } from './log.ts';
import { recall, remember } from './memory.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';

export interface ServiceFault {
  readonly service: string;
  readonly where: 'command' | 'event' | 'tick' | 'call' | 'fold' | 'start' | 'snapshot';
  readonly cause: unknown;
  readonly subject?: string;
}

export interface ServiceOptions {
  readonly connection: Connection;
  readonly clock?: Clock;
  /** Default 10 s: how long a copy that died keeps what it had not finished. */
  readonly ackWaitMs?: number;
  /** Default true: one copy works, the others stand by. False: all work at once, which costs conflicts. */
  readonly isOneAtATime?: boolean;
  readonly inboxPrefix?: string;
  /** Default 20,000: how many events are folded from one snapshot to the next. */
  readonly snapshotEvery?: number;
  /** Gives and takes grants. Absent: effects are faults. */
  readonly carryOut?: (effect: Effect) => Promise<void>;
  readonly onFault?: (fault: ServiceFault) => void;
}

export interface RunningService {
  readonly name: string;
  /** How long it took to read the past, and how much of it there was. */
  readonly rebuilt: { readonly ms: number; readonly events: number };
  readonly stats: DeciderStats;
  /** Ends within what is being decided. */
  stop(): Promise<void>;
}

const ACK_WAIT_MS = 10_000;
/** A command that cannot be decided so often is a fault of the service: its sender is told. */
const MAX_DELIVERIES = 5;
const HOUR_MS = 3_600_000;
/** Commands are remembered for as long as anybody may send them again; events can come again while a stream holds them. */
const REMEMBER_COMMANDS_MS = 26 * HOUR_MS;
const REMEMBER_EVENTS_MS = 8 * 24 * HOUR_MS;
const FORGET_EVERY_MS = 10 * 60_000;
/** Somebody else may still be at it. */
const FINISH_AFTER_MS = 15_000;
const RETRY_MS = 500;
const SNAPSHOT_EVERY = 20_000;
const SNAPSHOT_CHECK_MS = 1_000;

/** Resolves when the state is rebuilt and commands are taken. */
export const startService = async (definition: AnyService, options: ServiceOptions): Promise<RunningService> => {
  const runner = new ServiceRunner(definition, options);
  await runner.start();
  return runner;
};

class ServiceRunner implements RunningService {
  readonly #definition: AnyService;
  readonly #options: ServiceOptions;
  readonly #clock: Clock;
  readonly #log: ServiceLog;
  readonly #decider: Decider;
  readonly #snapshots: Snapshots;
  readonly #abort = new AbortController();
  readonly #work: Promise<void>[] = [];
  readonly #calls: Subscription[] = [];
  #state: unknown;
  #folded = 0;
  #startedMs = 0;
  #rebuiltMs = 0;
  #rebuiltEvents = 0;
  #forgottenMs = 0;

  constructor(definition: AnyService, options: ServiceOptions) {
    this.#definition = definition;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#state = definition.initial();
    this.#snapshots = createSnapshots(options.connection);
    const { connection, inboxPrefix } = options;
    this.#log = new ServiceLog({
      connection,
      clock: this.#clock,
      catalogue: definition.catalogue,
      reads: definition.reads,
      guards: definition.guards ?? {},
      ...(inboxPrefix !== undefined && { inboxPrefix }),
      onEvent: (event, message, stream) => {
        this.#folded++;
        try {
          const { type, keys, payload } = event;
          const { sequence, timeMs } = message;
          definition.fold(this.#state, { type, keys, payload, stream, sequence, timeMs } as unknown as PastEvent);
        } catch (cause) {
          this.#fault('fold', cause, event.subject);
        }
      },
    });
    const carryOut =
      options.carryOut ??
      ((effect: Effect) => Promise.reject(new ProducerError('invalid_option', { path: `effects/${effect.kind}` })));
    this.#decider = new Decider(this.#log, this.#clock, carryOut);
  }

  get name(): string {
    return this.#definition.name;
  }

  get rebuilt(): { ms: number; events: number } {
    return { ms: this.#rebuiltMs, events: this.#rebuiltEvents };
  }

  get stats(): DeciderStats {
    return this.#decider.stats;
  }

  async start(): Promise<void> {
    this.#startedMs = this.#clock.wallMs();
    const beganMs = this.#clock.monotonicMs();
    const recalled = await recall(this.#definition, this.#log, this.#snapshots);
    if (recalled) this.#state = recalled.state;
    await this.#log.start(recalled?.places);
    this.#rebuiltEvents = this.#folded;
    this.#rebuiltMs = this.#clock.monotonicMs() - beganMs;
    await this.#openInboxes();
    this.#answerCalls();
    this.#work.push(this.#keepTime(), this.#keepMemory());
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    if (!this.#options.connection.isClosed()) for (const call of this.#calls) call.unsubscribe();
    await Promise.all(this.#work);
    await this.#log.close();
  }

  // --- commands ---------------------------------------------------------------------------------------------------

  async #openInboxes(): Promise<void> {
    const { name, commands, reactsTo = [] } = this.#definition;
    if (commands.length > 0) {
      await this.#openInbox({
        stream: COMMAND_STREAM.name,
        durable: `service-${name}`,
        filters: commands.map((command) => `${COMMAND_ROOT}.${command}.*.*`),
        laneOf: (message) => {
          const command = parseCommand(message.data);
          return command ? (this.#definition.lane?.(command) ?? command.actor.sub) : message.subject;
        },
        handle: (message) => this.#handleCommand(message),
      });
    }
    for (const [stream, filters] of filtersOf(this.#log.families, reactsTo)) {
      await this.#openInbox({
        stream,
        durable: `service-${name}-events`,
        filters,
        laneOf: ({ subject }) => subject.slice(0, subject.lastIndexOf('.')),
        handle: (message) => this.#handleEvent(stream, message),
      });
    }
  }

  async #openInbox(part: {
    stream: string;
    durable: string;
    filters: readonly string[];
    laneOf: (message: InboxMessage) => string;
    handle: (message: InboxMessage) => Promise<void>;
  }): Promise<void> {
    const { connection, ackWaitMs = ACK_WAIT_MS, isOneAtATime = true } = this.#options;
    const where = part.stream === COMMAND_STREAM.name ? 'command' : 'event';
    const inbox = new Inbox({
      ...part,
      connection,
      clock: this.#clock,
      ackWaitMs,
      isOneAtATime,
      signal: this.#abort.signal,
      onFault: ({ cause, subject }) => this.#fault(where, cause, subject),
    });
    for (;;) {
      try {
        await inbox.prepare();
        break;
      } catch (cause) {
        this.#fault('start', cause, part.stream);
        if (this.#abort.signal.aborted || connection.isClosed()) return;
        await wait(this.#clock, RETRY_MS, this.#abort.signal);
      }
    }
    this.#work.push(inbox.run());
  }

  async #handleCommand(message: InboxMessage): Promise<void> {
    const command = parseCommand(message.data);
    // Not by the gateway: nobody waits for an outcome.
    if (!command) return this.#fault('command', new Error('no command'), message.subject);
    const { id: commandId, name, actor } = command;
    const cause = causeOfCommand(name, actor.sub, commandId);
    if (message.deliveries > 1 || message.timeMs < this.#startedMs) {
      // Somebody may have had it, and told the sender.
      const isKnown = this.#log.isKnown('command.applied');
      const outcomes = Decider.outcomesOf(actor.sub, name, commandId);
      if (isKnown && (await this.#log.isStored(this.#log.family('command.applied').stream, outcomes))) return;
      await this.#log.catchUp();
    }
    const grants = await this.#log.grantsOf(this.#definition.asksGrants?.(command) ?? [], this.#clock.wallMs());
    let verdict: Verdict | undefined;
    let timestamp = '';
    const done = await this.#decider.store(cause, () => {
      const context = contextOf(cause, this.#clock.wallMs(), grants);
      ({ timestamp } = context);
      verdict = this.#decide(command, context, message.deliveries);
      if (verdict.kind === 'rejected') return undefined;
      const { events, effects = [], result } = verdict;
      const outcome = {
        userId: actor.sub,
        command: name,
        commandId,
        timestamp,
        ...(result !== undefined && { result }),
      };
      return { events: events.map((event) => causedBy(event, commandId)), effects, outcome };
    });
    if (done === 'stored' || !verdict) return;
    // Too late: another copy may be deciding on it, and may come to another verdict.
    if (!message.isMine()) throw new ProducerError('unavailable', { reason: 'the command is overdue' });
    const about = { userId: actor.sub, command: name, commandId, timestamp };
    if (verdict.kind === 'rejected') {
      const { code, reason, state } = verdict;
      await this.#decider.reject({ ...about, code, reason, ...(state !== undefined && { state }) });
      return;
    }
    for (const effect of verdict.effects ?? []) await this.#options.carryOut?.(effect);
    await this.#decider.confirm({ ...about, ...(verdict.result !== undefined && { result: verdict.result }) });
  }

  #decide(command: ServiceCommand, context: ReturnType<typeof contextOf>, deliveries: number): Verdict {
    try {
      const verdict = this.#definition.decide?.(this.#state, command, context);
      if (!verdict) throw new Error(`${this.name} decides nothing about ${command.name}`);
      for (const event of verdict.kind === 'applied' ? verdict.events : []) this.#log.check(event as PlannedEvent);
      return verdict as Verdict;
    } catch (cause) {
      if (deliveries < MAX_DELIVERIES) throw cause;
      this.#fault('command', cause, command.name);
      return { kind: 'rejected', code: 'internal_error', reason: 'The service could not decide on it.' };
    }
  }

  // --- events and time --------------------------------------------------------------------------------------------

  async #handleEvent(stream: string, message: InboxMessage): Promise<void> {
    const decoded = this.#log.decode(message.subject, message.data);
    const { react } = this.#definition;
    if (!decoded || !react) return;
    if (this.#log.isReading(message.subject, stream)) await this.#log.reached(stream, message.sequence);
    if (message.deliveries > 1) await this.#log.catchUp();
    const event = { ...decoded, stream, sequence: message.sequence, timeMs: message.timeMs } as unknown as PastEvent;
    const root = causeOfEvent(this.name, stream, message.sequence);
    const plan = (): readonly Consequence[] => react(this.#state, event, contextOf(root, this.#clock.wallMs()));
    await this.#storeAll(plan, (key) => causeOfEvent(this.name, stream, message.sequence, key));
  }

  async #storeAll(plan: () => readonly Consequence[], causeOf: (key: string | undefined) => string): Promise<void> {
    const planned = plan();
    await Promise.all(
      planned.map(async (consequence) => {
        const { key, events, effects = [] } = consequence;
        if (events.length === 0) {
          for (const effect of effects) await this.#options.carryOut?.(effect);
          return;
        }
        let isFirst = true;
        await this.#decider.store(causeOf(key), () => {
          // Planning is for all of them: only what lost a race is planned again.
          const newest = isFirst ? consequence : plan().find((other) => other.key === key);
          isFirst = false;
          return newest && toPlan(newest);
        });
      }),
    );
  }

  async #keepTime(): Promise<void> {
    const { signal } = this.#abort;
    const { tick, reactsTo = [] } = this.#definition;
    const everyMs = tick?.everyMs ?? FINISH_AFTER_MS;
    while (!signal.aborted) {
      await wait(this.#clock, everyMs, signal);
      if (signal.aborted) return;
      const nowMs = this.#clock.wallMs();
      try {
        for (const { cause, timeMs } of this.#log.history.allUnfinished()) {
          if (timeMs < nowMs - FINISH_AFTER_MS) await this.#decider.finish(cause);
        }
        if (tick) {
          const plan = (): readonly Consequence[] => {
            const context = contextOf(causeOfTick(this.name, String(nowMs)), this.#clock.wallMs());
            return tick.due(this.#state, context).filter(({ key }) => !this.#log.history.made(this.#tickCause(key)));
          };
          await this.#storeAll(plan, (key) => this.#tickCause(key));
        }
      } catch (cause) {
        this.#fault('tick', cause);
      }
      if (nowMs - this.#forgottenMs < FORGET_EVERY_MS) continue;
      this.#forgottenMs = nowMs;
      this.#definition.forget?.(this.#state, nowMs - REMEMBER_EVENTS_MS);
      this.#log.history.forget(nowMs - (reactsTo.length > 0 ? REMEMBER_EVENTS_MS : REMEMBER_COMMANDS_MS));
    }
  }

  /** Snapshots, where there is enough to save a later start some time. */
  async #keepMemory(): Promise<void> {
    const { signal } = this.#abort;
    const { snapshotEvery = SNAPSHOT_EVERY } = this.#options;
    if (this.#definition.snapshotVersion === undefined) return;
    let keptAt = 0;
    while (!signal.aborted) {
      if (this.#folded - keptAt >= snapshotEvery) {
        keptAt = this.#folded;
        try {
          await remember(this.#definition, this.#log, () => this.#state, this.#snapshots);
          this.stats.snapshots++;
        } catch (cause) {
          // A later start reads more, that is all: no reason to try all the time.
          this.#fault('snapshot', cause);
          await wait(this.#clock, FORGET_EVERY_MS, signal);
        }
      }
      await wait(this.#clock, SNAPSHOT_CHECK_MS, signal);
    }
  }

  #tickCause(key: string | undefined): string {
    if (key === undefined) throw new ProducerError('invalid_option', { path: 'tick/key', reason: 'is missing' });
    return causeOfTick(this.name, key);
  }

  // --- calls ------------------------------------------------------------------------------------------------------

  #answerCalls(): void {
    const { connection } = this.#options;
    for (const [name, answer] of Object.entries(this.#definition.calls ?? {})) {
      const subscription = connection.subscribe(`${CALL_ROOT}.${name}.*`, {
        queue: `service-${this.name}`,
        callback: (error, message) => {
          if (error || !message.reply) return;
          try {
            const { actor, data } = message.json<{ actor: Actor; data: unknown }>();
            message.respond(JSON.stringify(answer(this.#state, actor, data)));
          } catch (cause) {
            this.#fault('call', cause, message.subject);
            message.respond(JSON.stringify({ ok: false, code: 'internal_error' }));
          }
        },
      });
      this.#calls.push(subscription);
    }
  }

  #fault(where: ServiceFault['where'], cause: unknown, subject?: string): void {
    if (this.#abort.signal.aborted) return;
    this.#options.onFault?.({ service: this.name, where, cause, ...(subject !== undefined && { subject }) });
  }
}

const causedBy = (event: { type: string; keys: unknown; payload: unknown }, commandId: string): PlannedEvent => ({
  type: event.type,
  keys: event.keys as Record<string, string>,
  payload: { ...(event.payload as Record<string, unknown>), commandId },
});

const toPlan = ({ events, effects = [] }: Consequence): Plan => ({
  events,
  effects,
});

/** Undefined for what no gateway has put there. */
const parseCommand = (data: Uint8Array): ServiceCommand | undefined => {
  try {
    const { commandId, command, actor, data: fields } = JSON.parse(Buffer.from(data).toString()) as CommandEnvelope;
    if (typeof command !== 'string' || typeof actor !== 'object' || typeof actor.role !== 'string') return undefined;
    if (!parseSubjectToken(commandId).ok || !parseSubjectToken(actor.sub).ok) return undefined;
    return { name: command, id: commandId, actor, data: fields } as ServiceCommand;
  } catch {
    return undefined;
  }
};

// Stores a decision exactly once, whoever else is at it, and finishes what was begun: the first event under its guard,
// then effects, the other events, the outcome. Knows nothing of where decisions come from.
import { type Clock, wait } from '../clock.ts';
import { ProducerError } from '../errors.ts';
import {
  commandTokenOf,
  DECISION_HEADER,
  encodeRemainder,
  messageIdOf,
  type Outcome,
  outcomeIdOf,
  type PlannedEvent,
  type Remainder,
} from './decision.ts';
import type { Effect } from './definition.ts';
import type { ServiceLog } from './log.ts';

export interface Plan {
  readonly events: readonly PlannedEvent[];
  readonly effects: readonly Effect[];
  readonly outcome?: Outcome;
}

export interface RejectedOutcome {
  readonly userId: string;
  readonly command: string;
  readonly commandId: string;
  readonly code: string;
  readonly reason: string;
  readonly state?: unknown;
  readonly timestamp: string;
}

export interface DeciderStats {
  decisions: number;
  conflicts: number;
  outcomes: number;
  snapshots: number;
}

/** A place in the line of those who decide under one guard. */
interface Turn {
  guard: string | undefined;
  end: () => void;
}

const MAX_ATTEMPTS = 200;
const PAUSE_MS = 5;
const MAX_IN_ORDER = 8;

export class Decider {
  readonly stats: DeciderStats = { decisions: 0, conflicts: 0, outcomes: 0, snapshots: 0 };
  readonly #log: ServiceLog;
  readonly #clock: Clock;
  readonly #carryOut: (effect: Effect) => Promise<void>;
  /** By cause: nobody in this process does the same work twice at once. */
  readonly #finishing = new Map<string, Promise<void>>();
  /** By guard: the last one in line. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(log: ServiceLog, clock: Clock, carryOut: (effect: Effect) => Promise<void>) {
    this.#log = log;
    this.#clock = clock;
    this.#carryOut = carryOut;
  }

  /**
   * `nothing` if the plan, made from the newest state, has no events (any more). `plan` is asked again whenever somebody
   * else was faster, so that what is stored was decided with everything before it in view.
   */
  async store(cause: string, plan: () => Plan | undefined): Promise<'stored' | 'nothing'> {
    const turn: Turn = { guard: undefined, end: () => undefined };
    try {
      return await this.#store(cause, plan, turn);
    } finally {
      turn.end();
    }
  }

  async #store(cause: string, plan: () => Plan | undefined, turn: Turn): Promise<'stored' | 'nothing'> {
    const { history } = this.#log;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      if (history.made(cause)) {
        await this.finish(cause);
        return 'stored';
      }
      const planned = plan();
      const [first, ...others] = planned?.events ?? [];
      if (!planned || !first) return 'nothing';
      const { stream } = this.#log.check(first);
      for (const event of others) this.#log.check(event);
      const guard = this.#log.guardOf(first);
      // Others of this process wait in line: they would only lose the race, all but one each time.
      if (turn.guard !== guard && (await this.#takeTurn(guard, turn)) === 'waited') continue;
      const open = history.unfinishedUnder(guard);
      if (open.length > 0) {
        // Its events come before those of the next decision, whoever stores them.
        for (const each of open) await this.finish(each.cause);
        continue;
      }
      const events = others.filter(({ type }) => !this.#log.isEphemeral(type));
      const { effects, outcome } = planned;
      const remainder: Remainder = { events, effects, ...(outcome && { outcome }) };
      const header = encodeRemainder(remainder);
      const reply = await this.#log.publish(first, {
        id: messageIdOf(cause, 0),
        expectedSequence: history.sequenceOf(guard),
        expectedSubject: guard,
        ...(header !== undefined && { headers: { [DECISION_HEADER]: header } }),
      });
      if (reply.kind === 'conflict') {
        this.stats.conflicts++;
        await this.#settle(guard, stream, attempt);
        continue;
      }
      this.stats.decisions++;
      await this.#log.reached(stream, reply.sequence);
      for (const event of others) if (this.#log.isEphemeral(event.type)) this.#log.publishEphemeral(event);
      await this.finish(cause, remainder);
      return 'stored';
    }
    throw new ProducerError('unavailable', { reason: `no decision in ${MAX_ATTEMPTS} attempts` });
  }

  async #takeTurn(guard: string, turn: Turn): Promise<'waited' | 'free'> {
    turn.end();
    const before = this.#turns.get(guard);
    let end = (): void => undefined;
    const mine = new Promise<void>((resolve) => (end = resolve));
    this.#turns.set(guard, mine);
    turn.guard = guard;
    turn.end = () => {
      if (this.#turns.get(guard) === mine) this.#turns.delete(guard);
      end();
    };
    if (!before) return 'free';
    await before;
    return 'waited';
  }

  /** Everything after the first event, which is stored. What is done already is not done again. */
  async finish(cause: string, known?: Remainder): Promise<void> {
    const running = this.#finishing.get(cause);
    if (running) return await running;
    const work = this.#finish(cause, known);
    this.#finishing.set(cause, work);
    try {
      await work;
    } finally {
      this.#finishing.delete(cause);
    }
  }

  /** What became of a command that changed nothing. The first outcome of a command stands. */
  async reject({ userId, ...payload }: RejectedOutcome): Promise<void> {
    await this.#publishOutcome('command.rejected', userId, payload);
  }

  async confirm({ userId, ...payload }: Outcome): Promise<void> {
    await this.#publishOutcome('command.applied', userId, payload);
  }

  /** The filter of a command's outcomes, of which there is one at most. */
  static outcomesOf(userId: string, command: string, commandId: string): string {
    return `command.${userId}.${commandTokenOf(command)}.${commandId}.*`;
  }

  async #finish(cause: string, known: Remainder | undefined): Promise<void> {
    const { history } = this.#log;
    const open = history.unfinished(cause);
    const made = history.made(cause);
    const remainder = known ?? open?.remainder ?? (made && (await this.#log.remainderOf(made)));
    if (!remainder) return;
    for (const effect of remainder.effects) await this.#carryOut(effect);
    if (open) {
      const lanes = new Map<string, { event: PlannedEvent; index: number }[]>();
      for (const [at, event] of remainder.events.entries()) {
        const { subject } = this.#log.check(event);
        // A few in order, as they were decided; many side by side, in order per subject.
        const name = remainder.events.length > MAX_IN_ORDER ? subject : '';
        const lane = lanes.get(name) ?? [];
        lanes.set(name, lane);
        lane.push({ event, index: at + 1 });
      }
      await Promise.all(
        Array.from(lanes.values(), async (lane) => {
          for (const { event, index } of lane) await this.#publishRest(cause, index, event);
        }),
      );
    }
    if (remainder.outcome) await this.confirm(remainder.outcome);
  }

  async #publishRest(cause: string, index: number, event: PlannedEvent): Promise<void> {
    const { history } = this.#log;
    const { subject, stream } = this.#log.check(event);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      // Complete: whoever else was at it has stored all of it.
      if (!history.unfinished(cause) || history.isRestStored(cause, index)) return;
      const id = messageIdOf(cause, index);
      const reply = await this.#log.publish(event, { id, expectedSequence: history.sequenceOf(subject) });
      if (reply.kind === 'stored') return await this.#log.reached(stream, reply.sequence);
      this.stats.conflicts++;
      await this.#settle(subject, stream, attempt);
    }
    throw new ProducerError('unavailable', { type: event.type, reason: `not stored in ${MAX_ATTEMPTS} attempts` });
  }

  async #settle(guard: string, stream: string, attempt: number): Promise<void> {
    await this.#log.catchUpWith(guard, stream);
    // The rival may still be on its way through the cluster.
    if (attempt > 3) await wait(this.#clock, PAUSE_MS * Math.min(attempt, 20));
  }

  async #publishOutcome(type: string, userId: string, payload: Omit<Outcome, 'userId'>): Promise<void> {
    // A catalogue need not have outcomes.
    if (!this.#log.isKnown(type)) return;
    const { command, commandId } = payload;
    // A conflict means that there is one: of the same command, by the same decision or an earlier one.
    await this.#log.publish(
      { type, keys: { userId, command: commandTokenOf(command), commandId }, payload },
      {
        id: outcomeIdOf(userId, command, commandId),
        expectedSequence: 0,
        expectedSubject: Decider.outcomesOf(userId, command, commandId),
      },
    );
    this.stats.outcomes++;
  }
}

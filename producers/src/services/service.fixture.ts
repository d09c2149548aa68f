// A service without streams: decides, folds what it decided, reacts until nothing more happens. For tests.
import { type Actor, rez, type RezCommands } from '@sluice/schemas';
import { EventEncoder } from '../event-encoder.ts';
import { causeOfCommand, causeOfEvent, causeOfTick, contextOf } from '../service/decision.ts';
import type { NewEvent, PastEvent, ServiceCommand, ServiceDefinition, Verdict } from '../service/definition.ts';

export const START_MS: number = Date.UTC(2026, 0, 14, 12);

export class Bench<State> {
  readonly state: State;
  readonly events: PastEvent[] = [];
  nowMs: number = START_MS;
  /** `chat:c-1 u-1`. */
  readonly grants: Set<string> = new Set();
  readonly #service: ServiceDefinition<State>;
  readonly #encoder: EventEncoder = new EventEncoder(rez, 'msgpack');
  readonly #made: Set<string> = new Set();
  #commands = 0;

  constructor(service: ServiceDefinition<State>) {
    this.#service = service;
    this.state = service.initial();
  }

  /** What somebody else stored, or this service; folded, and reacted to. */
  happen(event: NewEvent): void {
    // Throws for what no stream would be given.
    this.#encoder.encode(event.type, { ...event.keys }, event.payload);
    const sequence = this.events.length + 1;
    const past = { ...event, stream: 'ANY', sequence, timeMs: this.nowMs } as PastEvent;
    this.events.push(past);
    const { fold, react, reactsTo = [] } = this.#service;
    fold(this.state, past);
    if (!react || !(reactsTo as readonly string[]).includes(event.type)) return;
    for (const { key, events } of react(this.state, past, contextOf(causeOfEvent('s', 'ANY', sequence), this.nowMs))) {
      const cause = causeOfEvent('s', 'ANY', sequence, key);
      if (this.#made.has(cause)) throw new Error(`two consequences with the key ${key}`);
      this.#made.add(cause);
      for (const each of events) this.happen(each);
    }
  }

  send<Name extends keyof RezCommands>(actor: Actor, name: Name, data: RezCommands[Name]): Verdict {
    const id = `c-${++this.#commands}`;
    const command = { name, id, actor, data } as unknown as ServiceCommand;
    const asked = this.#service.asksGrants?.(command) ?? [];
    const granted = asked.filter(({ channel, userId }) => this.grants.has(`${channel} ${userId}`));
    const context = contextOf(causeOfCommand(name, actor.sub, id), this.nowMs, granted);
    const verdict = this.#service.decide!(this.state, command, context);
    if (verdict.kind === 'applied') for (const event of verdict.events) this.happen(event);
    return verdict;
  }

  tick(): NewEvent[] {
    const due = this.#service.tick!.due(this.state, contextOf(causeOfTick('s', String(this.nowMs)), this.nowMs));
    const stored: NewEvent[] = [];
    for (const { key, events } of due) {
      // As in the shell: what was due once is not due again.
      if (this.#made.has(key!)) continue;
      this.#made.add(key!);
      stored.push(...events);
    }
    for (const event of stored) this.happen(event);
    return stored;
  }

  of<T extends PastEvent['type']>(type: T): Extract<PastEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<PastEvent, { type: T }> => event.type === type);
  }
}

export const user = (sub: string, more: Readonly<Record<string, unknown>> = {}): Actor => ({
  ...{ sub, role: 'customer', name: `Name of ${sub}` },
  ...more,
});

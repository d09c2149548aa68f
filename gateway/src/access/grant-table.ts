// The grants in use, as a table: what is known of each, who rests on it, and who has to be told. Decides and tells; asks
// nobody. The change with the higher sequence wins, wherever it came from.
import type { Clock, TimerHandle } from '../operations/clock.ts';
import type { GrantChange } from './grants.ts';

export type GrantDenial = 'forbidden' | 'revoked' | 'grants_unavailable';

/** Who rests on a grant. */
export interface GrantHolder {
  granted(): void;
  /** Nobody can vouch for the grant now: nothing may be handed out before `granted` comes again. */
  suspended(): void;
  /** `forbidden`: never had it; `revoked`: has it no more; `grants_unavailable`: nobody can tell. Nothing comes after it. */
  denied(code: GrantDenial): void;
}

export interface Hold {
  readonly grant: string;
  readonly holder: GrantHolder;
  state: 'waiting' | 'open' | 'suspended' | 'over';
  suspendedMs: number;
}

/** What was known when the leader was asked. */
export interface Question {
  readonly entry: Entry | undefined;
  readonly generation: number;
  readonly sequence: number;
  readonly holds: readonly Hold[];
}

interface Known {
  /** Of the newest change; 0 if none is known. */
  sequence: number;
  /** Granted before this time; 0 for what is not granted. */
  untilMs: number;
}

interface Entry extends Known {
  readonly grant: string;
  readonly holds: Set<Hold>;
  timer: TimerHandle | undefined;
}

/** Changes that the tail has passed, of whatever grant: an outdated leader may answer with what was before them. */
const MAX_RECENT = 4_096;
/** Timers count what passes, and a machine that slept has its clock set ahead: so soon an expiry is looked at again. */
const MAX_TIMER_MS = 10_000;

export class GrantTable {
  readonly #clock: Clock;
  readonly #onFault: (error: unknown, where: string) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #recent = new Map<string, Known>();
  /** Waiting to be confirmed: usually none, of very many. */
  readonly #suspended = new Set<Hold>();
  #generation = 0;
  /** What is older is not stored any more. */
  #purgedBefore = 0;

  constructor(clock: Clock, onFault: (error: unknown, where: string) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  get size(): number {
    return this.#entries.size;
  }

  get suspendedCount(): number {
    return this.#suspended.size;
  }

  hold(grant: string, holder: GrantHolder): Hold {
    const hold: Hold = { grant, holder, state: 'waiting', suspendedMs: 0 };
    let entry = this.#entries.get(grant);
    if (!entry) {
      const { sequence, untilMs } = this.#recent.get(grant) ?? { sequence: 0, untilMs: 0 };
      entry = { grant, sequence, untilMs, holds: new Set(), timer: undefined };
      this.#entries.set(grant, entry);
      this.#arm(entry);
    }
    entry.holds.add(hold);
    return hold;
  }

  release(hold: Hold): void {
    hold.state = 'over';
    this.#suspended.delete(hold);
    const entry = this.#entries.get(hold.grant);
    if (!entry?.holds.delete(hold) || entry.holds.size > 0) return;
    this.#clock.clear(entry.timer);
    this.#entries.delete(hold.grant);
  }

  ask(grant: string, holds: readonly Hold[]): Question {
    const entry = this.#entries.get(grant);
    return { entry, generation: this.#generation, sequence: entry?.sequence ?? 0, holds };
  }

  /** False if the answer says nothing about what the stream holds now: it was about what is gone. */
  answer({ entry, generation, sequence, holds }: Question, change: GrantChange | undefined): boolean {
    if (generation !== this.#generation) return false;
    if (!entry || this.#entries.get(entry.grant) !== entry) return true;
    if (change) this.#learn(entry, change.sequence, untilMsOf(change.value));
    else if (entry.sequence === sequence) {
      // What was known when the leader was asked has been taken out of the stream, which no tail tells.
      this.#recent.delete(entry.grant);
      this.#learn(entry, sequence, 0);
    }
    const isGranted = entry.untilMs > this.#clock.now();
    // The tail told of it after the question, and it was purged before the answer.
    if (isGranted && entry.sequence < this.#purgedBefore) return false;
    for (const hold of holds) {
      if (hold.state !== 'waiting' && hold.state !== 'suspended') continue;
      if (!isGranted) this.deny(hold, hold.state === 'suspended' ? 'revoked' : 'forbidden');
      else {
        hold.state = 'open';
        this.#suspended.delete(hold);
        this.#tell(hold, 'granted');
      }
    }
    return true;
  }

  /** By the tail. */
  changed(grant: string, sequence: number, value: Uint8Array): void {
    const untilMs = untilMsOf(value);
    this.#recent.delete(grant);
    this.#recent.set(grant, { sequence, untilMs });
    if (this.#recent.size > MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value!);
    const entry = this.#entries.get(grant);
    if (entry && sequence > entry.sequence) this.#learn(entry, sequence, untilMs);
  }

  /** Another stream: nothing that was known counts. */
  begin(): void {
    this.#generation++;
    this.#purgedBefore = 0;
    this.#recent.clear();
    for (const entry of this.#entries.values()) {
      entry.sequence = 0;
      entry.untilMs = 0;
      this.#arm(entry);
    }
  }

  /** Nothing that is older is stored any more: whoever has been granted something by it has to be confirmed. */
  purged(before: number, nowMs: number): void {
    this.#purgedBefore = before;
    this.suspend(nowMs, before);
  }

  /** Whoever has been granted something by a change before that sequence has to be confirmed. */
  suspend(nowMs: number, before: number = Number.POSITIVE_INFINITY): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.sequence >= before) continue;
      for (const hold of [...entry.holds]) {
        if (hold.state !== 'open') continue;
        hold.state = 'suspended';
        hold.suspendedMs = nowMs;
        this.#suspended.add(hold);
        this.#tell(hold, 'suspended');
      }
    }
  }

  suspendedGrants(): ReadonlySet<string> {
    return new Set([...this.#suspended].map(({ grant }) => grant));
  }

  suspendedHolds(grant: string): readonly Hold[] {
    return [...(this.#entries.get(grant)?.holds ?? [])].filter(({ state }) => state === 'suspended');
  }

  denySuspendedFor(ms: number, nowMs: number): void {
    for (const hold of [...this.#suspended]) {
      hold.suspendedMs = Math.min(hold.suspendedMs, nowMs);
      if (nowMs - hold.suspendedMs >= ms) this.deny(hold, 'grants_unavailable');
    }
  }

  deny(hold: Hold, code: GrantDenial): void {
    if (hold.state === 'over') return;
    this.release(hold);
    this.#tell(hold, 'denied', code);
  }

  close(): void {
    for (const { timer } of this.#entries.values()) this.#clock.clear(timer);
    this.#entries.clear();
  }

  #learn(entry: Entry, sequence: number, untilMs: number): void {
    // Sequences are reused by nobody within a generation: an equal one is the same change, or its end.
    if (sequence < entry.sequence || (sequence === entry.sequence && untilMs >= entry.untilMs)) return;
    entry.sequence = sequence;
    entry.untilMs = untilMs;
    this.#enforce(entry);
  }

  /** Ends what rests on a grant that is none, at once; else sees to it that it ends in time. */
  #enforce(entry: Entry): void {
    if (entry.untilMs > this.#clock.now()) return this.#arm(entry);
    for (const hold of [...entry.holds]) if (hold.state === 'open') this.deny(hold, 'revoked');
  }

  #arm(entry: Entry): void {
    this.#clock.clear(entry.timer);
    entry.timer = undefined;
    const inMs = entry.untilMs - this.#clock.now();
    if (inMs <= 0 || inMs === Number.POSITIVE_INFINITY) return;
    entry.timer = this.#clock.setTimeout(() => this.#enforce(entry), Math.min(inMs, MAX_TIMER_MS));
  }

  /** The tail goes on, whatever a holder makes of it. */
  #tell(hold: Hold, what: 'granted' | 'suspended'): void;
  #tell(hold: Hold, what: 'denied', code: GrantDenial): void;
  #tell({ holder }: Hold, what: 'granted' | 'suspended' | 'denied', code?: GrantDenial): void {
    try {
      if (what === 'denied') holder.denied(code!);
      else holder[what]();
    } catch (error) {
      this.#onFault(error, `grant ${what}`);
    }
  }
}

/** Until when a value grants: a JSON object does, for ever or until its `expiresAt` (ISO 8601). Anything else does not. */
export const untilMsOf = (value: Uint8Array): number => {
  if (value.length === 0) return 0;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8'));
  } catch {
    return 0;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 0;
  if (!Object.hasOwn(parsed, 'expiresAt')) return Number.POSITIVE_INFINITY;
  const { expiresAt } = parsed as { readonly expiresAt: unknown };
  const untilMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) : Number.NaN;
  return Number.isNaN(untilMs) ? 0 : untilMs;
};

// What the streams say about decisions: which are made, which of them are not finished yet, and how far each guard is.
// Pure memory, filled by the reader; two copies of a service that read the same have the same.
import { parseMessageId, type Remainder } from './decision.ts';

/** A decision whose first event is stored, and where. */
export interface Made {
  readonly stream: string;
  readonly sequence: number;
  readonly timeMs: number;
}

/** A decision of which events are still to be stored. */
export interface Unfinished extends Made {
  readonly cause: string;
  readonly guard: string;
  readonly remainder: Remainder;
}

export interface HistoryEntry extends Made {
  readonly messageId: string | undefined;
  readonly remainder: Remainder | undefined;
  /** The subject filters that the event counts for; the first one is what a decision that it begins is guarded by. */
  readonly guards: readonly string[];
}

/** All of a history, as plain data. */
export interface HistoryCopy {
  readonly made: ReadonlyMap<string, Made>;
  readonly stored: ReadonlyMap<string, ReadonlySet<number>>;
  readonly unfinished: ReadonlyMap<string, Unfinished>;
  readonly sequences: ReadonlyMap<string, number>;
}

export class History {
  readonly #made = new Map<string, Made>();
  readonly #stored = new Map<string, Set<number>>();
  readonly #unfinished = new Map<string, Unfinished>();
  readonly #byGuard = new Map<string, Set<string>>();
  readonly #sequences = new Map<string, number>();
  /** Causes of which only a later event is known: the first one may still come, or is nobody's business here. */
  #strangers = new Set<string>();
  #oldStrangers = new Set<string>();

  add({ messageId, remainder, guards, stream, sequence, timeMs }: HistoryEntry): void {
    for (const guard of guards) this.#sequences.set(guard, sequence);
    const parsed = messageId === undefined ? undefined : parseMessageId(messageId);
    if (!parsed) return;
    const { cause, index } = parsed;
    if (index > 0) return this.#addRest(cause, index);
    if (this.#made.has(cause)) return;
    this.#made.set(cause, { stream, sequence, timeMs });
    if (!remainder || remainder.events.length === 0) return void this.#stored.delete(cause);
    const guard = guards[0] ?? '';
    this.#unfinished.set(cause, { cause, guard, remainder, stream, sequence, timeMs });
    const causes = this.#byGuard.get(guard) ?? new Set();
    this.#byGuard.set(guard, causes.add(cause));
    this.#finishIfComplete(cause);
  }

  /** Whether the decision's first event is stored, and where. */
  made(cause: string): Made | undefined {
    return this.#made.get(cause);
  }

  unfinished(cause: string): Unfinished | undefined {
    return this.#unfinished.get(cause);
  }

  unfinishedUnder(guard: string): readonly Unfinished[] {
    return Array.from(this.#byGuard.get(guard) ?? [], (cause) => this.#unfinished.get(cause)!);
  }

  allUnfinished(): Unfinished[] {
    return [...this.#unfinished.values()];
  }

  /** Whether the n-th event (from 1) after the first one is stored; of an unfinished decision only. */
  isRestStored(cause: string, index: number): boolean {
    return this.#stored.get(cause)?.has(index) ?? false;
  }

  /** Newest sequence under the guard, 0 for none. */
  sequenceOf(guard: string): number {
    return this.#sequences.get(guard) ?? 0;
  }

  /** What the stream's leader says, where the events that were read have expired. */
  correct(guard: string, sequence: number): void {
    this.#sequences.set(guard, sequence);
  }

  /** Forgets decisions made before that time, and what belongs to none, by the second call. In order of reading, which is nearly that of time. */
  forget(beforeMs: number): void {
    for (const cause of this.#oldStrangers) if (!this.#made.has(cause)) this.#stored.delete(cause);
    this.#oldStrangers = this.#strangers;
    this.#strangers = new Set();
    for (const [cause, { timeMs }] of this.#made) {
      if (timeMs >= beforeMs) break;
      if (!this.#unfinished.has(cause)) this.#made.delete(cause);
    }
  }

  /** Of decisions that are remembered. */
  get size(): number {
    return this.#made.size;
  }

  /** Not to be kept: the maps go on changing. */
  get copy(): HistoryCopy {
    return {
      made: this.#made,
      stored: this.#stored,
      unfinished: this.#unfinished,
      sequences: this.#sequences,
    };
  }

  restore({ made, stored, unfinished, sequences }: HistoryCopy): void {
    for (const [cause, each] of made) this.#made.set(cause, each);
    for (const [cause, indexes] of stored) this.#stored.set(cause, new Set(indexes));
    for (const [guard, sequence] of sequences) this.#sequences.set(guard, sequence);
    for (const [cause, each] of unfinished) {
      this.#unfinished.set(cause, each);
      const causes = this.#byGuard.get(each.guard) ?? new Set();
      this.#byGuard.set(each.guard, causes.add(cause));
    }
  }

  #addRest(cause: string, index: number): void {
    // Another stream than the first event's may be read before it: remembered until that one comes.
    if (this.#made.has(cause) && !this.#unfinished.has(cause)) return;
    if (!this.#made.has(cause)) this.#strangers.add(cause);
    const stored = this.#stored.get(cause) ?? new Set();
    this.#stored.set(cause, stored.add(index));
    this.#finishIfComplete(cause);
  }

  #finishIfComplete(cause: string): void {
    const open = this.#unfinished.get(cause);
    if (!open || (this.#stored.get(cause)?.size ?? 0) < open.remainder.events.length) return;
    this.#unfinished.delete(cause);
    this.#stored.delete(cause);
    const causes = this.#byGuard.get(open.guard);
    causes?.delete(cause);
    if (causes?.size === 0) this.#byGuard.delete(open.guard);
  }
}

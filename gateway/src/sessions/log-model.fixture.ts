// JetStream as the sessions of a pod see it: streams that grow, lose their beginning, are rolled back or created anew, and
// cold reads of them that take a while, fail, and answer in pages. What is read is computed when the answer comes.
import { isSubjectMatch, packValue } from '@sluice/schemas';
import type { Cold, ColdRetry, StoredEvent, TailView } from '../log/cold.ts';

export class ModelStream {
  readonly name: string;
  epoch: string;
  events: StoredEvent[] = [];
  /** Also what retention has taken since. */
  history: StoredEvent[] = [];
  last = 0;
  first = 1;
  /**
   * From here on sequences have named other events before the store was rolled back. Who has seen those can be told only
   * while the new ones are stored: without them nothing contradicts the position (docs/PROTOCOL.md says so).
   */
  #reusedFrom = Number.POSITIVE_INFINITY;
  #incarnation = 1;

  constructor(name: string) {
    this.name = name;
    this.epoch = `${name}-1`;
  }

  append(
    timeMs: number,
    subject: string,
    { filler = 0, isMarker = false, data = {} }: { filler?: number; isMarker?: boolean; data?: object } = {},
  ): void {
    const sequence = ++this.last;
    // The payload says which event it is, so that a client cannot mistake one for another.
    const payload = packValue({
      at: `${this.epoch}/${sequence}/${timeMs}`,
      subject,
      filler: 'x'.repeat(filler),
      ...data,
    });
    const event = { sequence, timeMs, subject, payload, isMarker };
    this.events.push(event);
    this.history.push(event);
  }

  /** Retention takes everything below a sequence. */
  truncate(first: number): void {
    this.first = Math.max(this.first, Math.min(first, this.last + 1, this.#reusedFrom));
    this.events = this.events.filter(({ sequence }) => sequence >= this.first);
  }

  recreate(): void {
    this.epoch = `${this.name}-${++this.#incarnation}`;
    this.events = [];
    this.history = [];
    this.last = 0;
    this.first = 1;
    this.#reusedFrom = Number.POSITIVE_INFINITY;
  }

  /** Restored from an older copy: `created` and so the epoch survive, the newest events do not. */
  rollBack(to: number): void {
    this.last = Math.max(this.first - 1, Math.min(to, this.last));
    this.#reusedFrom = Math.min(this.#reusedFrom, this.last + 1);
    this.events = this.events.filter(({ sequence }) => sequence <= this.last);
    this.history = this.history.filter(({ sequence }) => sequence <= this.last);
  }

  matching(filters: readonly string[], after = 0, of: readonly StoredEvent[] = this.events): StoredEvent[] {
    return of.filter(
      ({ sequence, subject, isMarker }) =>
        !isMarker && sequence > after && filters.some((filter) => isSubjectMatch(filter, subject)),
    );
  }
}

interface Asked {
  readonly answer: () => void;
  readonly refuse: (retry: ColdRetry) => void;
  readonly fault: (error: Error) => void;
}

/** Cold reads that wait until the test lets them answer. */
export class ModelCold implements Cold {
  readonly asked: Asked[] = [];
  /** Events per page: small, so that a replay takes many. */
  pageEvents = 3;
  /** A replica knows what the pod's reader has not got to yet. */
  mayPassHead = false;
  /** More subjects than this are more than the server takes a snapshot of. */
  maxSubjects: number = Number.POSITIVE_INFINITY;
  readonly #streams: ReadonlyMap<string, ModelStream>;

  constructor(streams: ReadonlyMap<string, ModelStream>) {
    this.#streams = streams;
  }

  readonly read: Cold['read'] = ({ stream, filters, after, tail, maxEvents }) =>
    this.#ask(() => {
      const log = this.#streams.get(stream)!;
      const found = log.matching(filters, after).filter(({ sequence }) => sequence <= this.#end(log, tail));
      const events = found.slice(0, Math.min(this.pageEvents, maxEvents));
      const isAll = events.length === found.length;
      const last = events.at(-1)?.sequence ?? after;
      const page = { kind: 'page', events, through: isAll ? Math.max(last, tail.firstSequence - 1) : last } as const;
      return after + 1 < log.first ? ({ kind: 'truncated', firstSequence: log.first, page } as const) : page;
    });

  readonly event: Cold['event'] = (stream, sequence) =>
    this.#ask(
      () =>
        ({
          kind: 'event',
          event: this.#streams.get(stream)!.events.find((each) => each.sequence === sequence),
        }) as const,
    );

  readonly neighbours: Cold['neighbours'] = (stream, sequence) =>
    this.#ask(() => {
      const { events } = this.#streams.get(stream)!;
      const below = events.findLast((each) => each.sequence < sequence);
      return { kind: 'neighbours', below, above: events.find((each) => each.sequence > sequence) } as const;
    });

  readonly states: Cold['states'] = ({ stream, filters, tail, maxStates }) =>
    this.#ask(() => {
      const log = this.#streams.get(stream)!;
      const through = this.#end(log, tail);
      const newest = new Map<string, StoredEvent>();
      for (const event of log.matching(filters)) {
        if (event.sequence > through) continue;
        newest.delete(event.subject);
        newest.set(event.subject, event);
      }
      if (newest.size > this.maxSubjects) return { kind: 'too_large' } as const;
      const events = [...newest.values()].sort((a, b) => a.sequence - b.sequence).slice(-maxStates);
      return { kind: 'states', events, through } as const;
    });

  readonly lastN: Cold['lastN'] = (stream, filters, count) =>
    this.#ask(() => {
      const log = this.#streams.get(stream)!;
      const first = log.matching(filters).at(-count) ?? log.matching(filters)[0];
      // Rarely exact: the cursor is found by probing.
      return { kind: 'cursor', after: Math.max(log.first - 1, (first?.sequence ?? log.last + 1) - 3) } as const;
    });

  readonly since: Cold['since'] = (stream, sinceMs) =>
    this.#ask(() => {
      const log = this.#streams.get(stream)!;
      const newestMs = log.events.at(-1)?.timeMs ?? 0;
      const first = log.events.find(({ timeMs }) => timeMs >= newestMs - sinceMs);
      return { kind: 'cursor', after: (first?.sequence ?? log.last + 1) - 1 } as const;
    });

  readonly leader: Cold['leader'] = (stream) =>
    this.#ask(() => {
      const log = this.#streams.get(stream)!;
      return {
        kind: 'leader',
        firstSequence: log.first,
        lastSequence: log.last,
        created: log.epoch,
        hasLeader: true,
      } as const;
    });

  #end(log: ModelStream, tail: TailView): number {
    return this.mayPassHead ? log.last : Math.min(log.last, tail.head);
  }

  #ask<T>(compute: () => T): Promise<T | ColdRetry> {
    return new Promise((resolve, reject) => {
      this.asked.push({ answer: () => resolve(compute()), refuse: resolve, fault: reject });
    });
  }
}

// The newest event of each subject, bounded: of what was added, the newest that fit. Pure.
import type { StoredEvent } from './cold-contract.ts';

/** Of one snapshot. What it could not hold is older than all that it holds. */
const MAX_SNAPSHOT_BYTES = 4 * 1024 * 1024;

export class Newest {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** In the order of their sequences. */
  readonly #bySubject = new Map<string, StoredEvent>();
  #bytes = 0;

  constructor(maxEvents: number, maxBytes: number = MAX_SNAPSHOT_BYTES) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  get events(): readonly StoredEvent[] {
    return [...this.#bySubject.values()];
  }

  /** Events are added in the order of their sequences. */
  add(event: StoredEvent): void {
    this.#drop(event.subject);
    this.#bySubject.set(event.subject, event);
    this.#bytes += event.payload.length;
    for (const [oldest] of this.#bySubject) {
      const { size } = this.#bySubject;
      if (size <= this.#maxEvents && (this.#bytes <= this.#maxBytes || size === 1)) return;
      this.#drop(oldest);
    }
  }

  #drop(subject: string): void {
    const dropped = this.#bySubject.get(subject);
    if (dropped && this.#bySubject.delete(subject)) this.#bytes -= dropped.payload.length;
  }
}

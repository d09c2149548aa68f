// Pure. Which pods seem to be dead: those whose lease has not moved while ours has, for long enough. Measured in store
// times of the bucket alone: no pod's clock counts, and a time without the server counts for nobody.
import type { Lease } from './store.ts';

export class LeaseWatch {
  readonly #deadAfterMs: number;
  /** Our own lease, from the first of an unbroken row of writes to the newest. */
  #row: { readonly start: Lease; readonly end: Lease } | undefined;
  #leases: ReadonlyMap<string, Lease> = new Map();

  constructor(deadAfterMs: number) {
    this.#deadAfterMs = deadAfterMs;
  }

  /** What was listed last. */
  get leases(): ReadonlyMap<string, Lease> {
    return this.#leases;
  }

  get aliveCount(): number {
    let count = 0;
    for (const { state } of this.#leases.values()) if (state === 'alive') count++;
    return count;
  }

  /** Takes a listing; returns the leases whose pods are to be declared dead, or cleared away after. */
  observe(leases: readonly Lease[], own: string): readonly Lease[] {
    this.#leases = new Map(leases.map((lease) => [lease.pod, lease]));
    const mine = this.#leases.get(own);
    if (mine === undefined) return [];
    const row = this.#row;
    const start = row && this.#isUnbroken(row.end, mine) ? row.start : mine;
    this.#row = { start, end: mine };
    return leases.filter(({ pod, state, sequence, timeMs }) => {
      if (pod === own) return false;
      // Written before the row, it has stood still since its start at least: its time may be of a clock that was set back.
      const sinceMs = sequence < start.sequence ? start.timeMs : Math.max(timeMs, start.timeMs);
      return state === 'left' || mine.timeMs - sinceMs >= this.#deadAfterMs;
    });
  }

  /** A gap in ours may be everybody's, as an outage is; so may a jump of the server's clock, either way, and another bucket. */
  #isUnbroken(last: Lease, mine: Lease): boolean {
    if (mine.sequence < last.sequence || mine.timeMs < last.timeMs) return false;
    return mine.timeMs - last.timeMs <= this.#deadAfterMs / 2;
  }
}

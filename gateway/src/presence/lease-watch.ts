// Pure. Which pods seem to be dead: those whose lease has not moved while ours has, for long enough. Measured in store
// times of the bucket alone: no pod's clock counts, and a time without the server counts for nobody.
import type { Lease } from './store.ts';

export class LeaseWatch {
  readonly #deadAfterMs: number;
  /** Store times of our own lease, from the first of an unbroken row to the newest. */
  #row: { startMs: number; endMs: number } | undefined;
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
    // A gap in ours may be everybody's, as an outage is; so may a jump of the server's clock, either way.
    const isUnbroken = row && mine.timeMs >= row.endMs && mine.timeMs - row.endMs <= this.#deadAfterMs / 2;
    const { startMs } = isUnbroken ? row : { startMs: mine.timeMs };
    this.#row = { startMs, endMs: mine.timeMs };
    return leases.filter(({ pod, state, timeMs }) => {
      if (pod === own) return false;
      return state === 'left' || mine.timeMs - Math.max(timeMs, startMs) >= this.#deadAfterMs;
    });
  }
}

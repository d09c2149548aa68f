// Pure. The users whose entries another pod left behind when it died, to be cleared away one by one; after the last one
// the dead pod's lease may go. What fails is tried again after the others; a job that fails for long is dropped: its lease
// stays, and is claimed again, here or elsewhere.

export interface Eviction {
  readonly pod: string;
  readonly user: string;
  /** How often it has failed. */
  readonly failures: number;
}

interface Job {
  readonly waiting: Eviction[];
  readonly onDone: () => void;
  open: number;
}

/** With the pause after each, about as long as others take to claim the lease again. */
const MAX_FAILURES = 30;

export class Evictions {
  readonly #jobs = new Map<string, Job>();

  get size(): number {
    let size = 0;
    for (const { waiting, open } of this.#jobs.values()) size += waiting.length + open;
    return size;
  }

  has(pod: string): boolean {
    return this.#jobs.has(pod);
  }

  add(pod: string, users: readonly string[], onDone: () => void): void {
    if (users.length === 0) return onDone();
    // The last one is taken first: what is tried again is put before the others.
    const waiting = users.map((user) => ({ pod, user, failures: 0 })).reverse();
    this.#jobs.set(pod, { waiting, onDone, open: 0 });
  }

  take(): Eviction | undefined {
    for (const job of this.#jobs.values()) {
      const eviction = job.waiting.pop();
      if (!eviction) continue;
      job.open++;
      return eviction;
    }
    return undefined;
  }

  done({ pod }: Eviction): void {
    const job = this.#jobs.get(pod);
    if (!job || --job.open > 0 || job.waiting.length > 0) return;
    this.#jobs.delete(pod);
    job.onDone();
  }

  failed({ pod, user, failures }: Eviction): void {
    const job = this.#jobs.get(pod);
    if (!job) return;
    job.open--;
    if (failures + 1 === MAX_FAILURES) this.#jobs.delete(pod);
    else job.waiting.unshift({ pod, user, failures: failures + 1 });
  }
}

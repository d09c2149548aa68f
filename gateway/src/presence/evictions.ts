// Pure. The users whose entries another pod left behind when it died, to be cleared away one by one; after the last one
// the dead pod's lease may go. A job that fails is dropped: its lease stays, and is claimed again, here or elsewhere.

export interface Eviction {
  readonly pod: string;
  readonly user: string;
}

interface Job {
  readonly pod: string;
  readonly users: readonly string[];
  readonly onDone: () => void;
  next: number;
  open: number;
}

export class Evictions {
  readonly #jobs = new Map<string, Job>();

  get size(): number {
    let size = 0;
    for (const { users, next, open } of this.#jobs.values()) size += users.length - next + open;
    return size;
  }

  has(pod: string): boolean {
    return this.#jobs.has(pod);
  }

  add(pod: string, users: readonly string[], onDone: () => void): void {
    if (users.length === 0) return onDone();
    this.#jobs.set(pod, { pod, users, onDone, next: 0, open: 0 });
  }

  take(): Eviction | undefined {
    for (const job of this.#jobs.values()) {
      if (job.next === job.users.length) continue;
      job.open++;
      return { pod: job.pod, user: job.users[job.next++]! };
    }
    return undefined;
  }

  done({ pod }: Eviction): void {
    const job = this.#jobs.get(pod);
    if (!job || --job.open > 0 || job.next < job.users.length) return;
    this.#jobs.delete(pod);
    job.onDone();
  }

  failed({ pod }: Eviction): void {
    this.#jobs.delete(pod);
  }
}

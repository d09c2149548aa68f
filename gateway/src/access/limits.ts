// How much one user may take: rates and counters. Pure data structures; time is an argument.

/** A token bucket: `perSecond` on average, `burst` at once. One number and one time per instance, no timer. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #updatedAtMs: number;

  constructor(limit: { readonly perSecond: number; readonly burst: number }, nowMs: number) {
    this.#perSecond = limit.perSecond;
    this.#burst = limit.burst;
    this.#tokens = limit.burst;
    this.#updatedAtMs = nowMs;
  }

  /** Takes `count` tokens if there are so many; takes nothing otherwise. */
  take(nowMs: number, count: number = 1): boolean {
    this.#refill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Milliseconds until `take(count)` could succeed; Infinity for more than the burst. For "retry after". */
  waitMs(nowMs: number, count: number = 1): number {
    if (count > this.#burst) return Number.POSITIVE_INFINITY;
    this.#refill(nowMs);
    return Math.max(0, Math.ceil(((count - this.#tokens) / this.#perSecond) * 1_000));
  }

  #refill(nowMs: number): void {
    // A wall clock may step back; that must neither take tokens away nor grant them twice.
    const passedMs = Math.max(0, nowMs - this.#updatedAtMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + (passedMs / 1_000) * this.#perSecond);
    this.#updatedAtMs = nowMs;
  }
}

/** What is counted per user over all of its connections to this pod. */
const QUOTAS = ['connections', 'subscriptions', 'queuedBytes', 'coldReads'] as const;
export type Quota = (typeof QUOTAS)[number];

export type UserLimits = Readonly<Record<Quota, number>>;

/** What one acquire took. Releasing twice does nothing, so that a `finally` and a close handler may both do it. */
export interface Lease {
  release(): void;
}

type Usage = Record<Quota, number>;

/** Counters per user. A user that holds nothing takes no memory. */
export class UserQuotas {
  readonly #limits: UserLimits;
  readonly #users = new Map<string, Usage>();

  constructor(limits: UserLimits) {
    this.#limits = limits;
  }

  /** Users that hold something now. */
  get size(): number {
    return this.#users.size;
  }

  used(subject: string, quota: Quota): number {
    return this.#users.get(subject)?.[quota] ?? 0;
  }

  /** Takes `count` of the quota, or nothing and undefined if that would pass the user's limit. */
  acquire(subject: string, quota: Quota, count: number = 1): Lease | undefined {
    if (this.used(subject, quota) + count > this.#limits[quota]) return undefined;
    let usage = this.#users.get(subject);
    if (!usage) this.#users.set(subject, (usage = { connections: 0, subscriptions: 0, queuedBytes: 0, coldReads: 0 }));
    usage[quota] += count;
    return new QuotaLease(this, subject, quota, count);
  }

  /** For leases only. */
  giveBack(subject: string, quota: Quota, count: number): void {
    const usage = this.#users.get(subject);
    if (!usage) return;
    usage[quota] -= count;
    if (QUOTAS.every((each) => usage[each] === 0)) this.#users.delete(subject);
  }
}

// One per subscription: a class, because closures over as many variables take twice the memory.
class QuotaLease implements Lease {
  readonly #quotas: UserQuotas;
  readonly #subject: string;
  readonly #quota: Quota;
  #count: number;

  constructor(quotas: UserQuotas, subject: string, quota: Quota, count: number) {
    this.#quotas = quotas;
    this.#subject = subject;
    this.#quota = quota;
    this.#count = count;
  }

  release(): void {
    const count = this.#count;
    this.#count = 0;
    if (count > 0) this.#quotas.giveBack(this.#subject, this.#quota, count);
  }
}

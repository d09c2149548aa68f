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

/** So many at once; the others get their turn in the order in which they came. */
export class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Runs `work` when there is a place for it; its place is given back, whatever becomes of it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Handed on rather than freed: whoever is about to ask again must not take it before those who wait.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

export interface UserLimits {
  readonly connections: number;
  readonly subscriptions: number;
  /** Bytes that wait in the sockets of one user. */
  readonly queuedBytes: number;
  /** Cold reads under way. */
  readonly coldReads: number;
  readonly subscribesPerSecond: number;
  readonly subscribeBurst: number;
}

/**
 * Bytes that a user may send: to read them takes the pod fifty milliseconds a megabyte. At once as many as the longest queue
 * of an SDK holds (100 commands of 256 KiB).
 */
const RECEIVED = { perSecond: 4_000_000, burst: 32_000_000 };

/** What one user takes over all of its connections to this pod. Sessions count here; the limits are beside it. */
export class User {
  readonly subject: string;
  readonly subscribes: TokenBucket;
  readonly receivedBytes: TokenBucket;
  connections = 0;
  subscriptions = 0;
  queuedBytes = 0;
  /** Made for the first read: most users never read the past. */
  coldReads: Places | undefined;
  /** Of what opens; made for the first one. */
  questions: Places | undefined;

  constructor(subject: string, subscribes: TokenBucket, nowMs: number) {
    this.subject = subject;
    this.subscribes = subscribes;
    this.receivedBytes = new TokenBucket(RECEIVED, nowMs);
  }
}

/** Is told of the first connection of a user to this pod, and of the end of the last one. */
export interface UserObserver {
  came(subject: string): void;
  left(subject: string): void;
}

/** How long one who has left is remembered: until then a new connection goes on with what the last one has used up. */
const REMEMBERED_MS = 60_000;
/** Of those who have left; of more the first are forgotten. */
const MAX_REMEMBERED = 10_000;

/** The users who are connected, and for a moment those who were: else whoever reconnects would have every limit anew. */
export class Users {
  readonly limits: UserLimits;
  readonly #users = new Map<string, User>();
  /** In the order in which they left. */
  readonly #remembered = new Map<string, { readonly user: User; readonly leftMs: number }>();
  readonly #observer: UserObserver | undefined;

  constructor(limits: UserLimits, observer?: UserObserver) {
    this.limits = limits;
    this.#observer = observer;
  }

  get size(): number {
    return this.#users.size;
  }

  /** One more connection of the user, or undefined if that is one too many. Each `enter` needs a `leave`. */
  enter(subject: string, nowMs: number): User | undefined {
    const { connections, subscribesPerSecond, subscribeBurst } = this.limits;
    let user = this.#users.get(subject);
    if (user && user.connections >= connections) return undefined;
    if (!user) {
      this.#forget(nowMs);
      const rate = { perSecond: subscribesPerSecond, burst: subscribeBurst };
      user = this.#remembered.get(subject)?.user ?? new User(subject, new TokenBucket(rate, nowMs), nowMs);
      this.#remembered.delete(subject);
      this.#users.set(subject, user);
    }
    user.connections++;
    if (user.connections === 1) this.#observer?.came(subject);
    return user;
  }

  leave(user: User, nowMs: number): void {
    if (--user.connections > 0) return;
    this.#users.delete(user.subject);
    this.#remembered.set(user.subject, { user, leftMs: nowMs });
    this.#forget(nowMs);
    this.#observer?.left(user.subject);
  }

  #forget(nowMs: number): void {
    for (const [subject, { leftMs }] of this.#remembered) {
      const isPast = nowMs - leftMs >= REMEMBERED_MS || nowMs < leftMs;
      if (!isPast && this.#remembered.size <= MAX_REMEMBERED) return;
      this.#remembered.delete(subject);
    }
  }
}

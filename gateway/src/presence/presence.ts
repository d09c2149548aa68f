// Who is here, told to everybody: carries out what residents.ts, lease-watch.ts and evictions.ts decide, so many writes at
// a time. Knows users and pods; no sockets, no channels, no NATS.
//
//   first device ─▶ entry (user, pod) ─▶ `online`, unless that was told last
//   last device + linger ─▶ entry removed ─▶ `offline`, unless a live pod has another entry
//   another pod's lease stands still ─▶ declared dead by whoever is first ─▶ each of its entries likewise
import type { Clock, TimerHandle } from '../operations/clock.ts';
import { delay } from '../operations/clock.ts';
import { Evictions, type Eviction } from './evictions.ts';
import { LeaseWatch } from './lease-watch.ts';
import { Residents, type Task } from './residents.ts';
import { settleOffline, settleOnline } from './settle.ts';
import type { Lease, PresenceStore, UserState } from './store.ts';

export interface PresenceOptions {
  readonly store: PresenceStore;
  readonly clock: Clock;
  /** A name that no pod ever had. A pod that was declared dead goes on under another one. */
  readonly newPodId: () => string;
  /** How long a user without a device still counts as here. */
  readonly lingerMs: number;
  /** How often the lease is written. */
  readonly leaseMs: number;
  /** How long a lease may stand still. */
  readonly deadAfterMs: number;
  /** Entries older than that are written again. */
  readonly renewMs: number;
  /** For the log; must not throw. */
  readonly onNotice?: (notice: PresenceNotice) => void;
}

export type PresenceNotice =
  | { readonly kind: 'trouble'; readonly during: string; readonly error: unknown }
  | { readonly kind: 'pod_declared_dead'; readonly pod: string; readonly users: number }
  /** Others have declared this pod dead, or the bucket is another one. */
  | { readonly kind: 'lease_lost'; readonly pod: string };

const SWEEP_MS = 200;
const MAX_IN_FLIGHT = 64;
const RETRY_MS = 500;
const POLL_MS = 50;

export class Presence {
  readonly told: Record<UserState, number> = { online: 0, offline: 0 };
  readonly #options: PresenceOptions;
  readonly #residents: Residents;
  readonly #evictions = new Evictions();
  readonly #watch: LeaseWatch;
  /** Undefined while no lease is held. */
  #own: { readonly pod: string; sequence: number } | undefined;
  /** Pods that have ended and may have left entries: others, with the lease that goes last, and this one's former lives. */
  #ended: { readonly pod: string; readonly claimed?: number }[] = [];
  /** Pods that were to be declared dead, and nobody knows whether they were: no answer came. */
  readonly #unanswered = new Set<string>();
  #timers: TimerHandle[] = [];
  #inFlight = 0;
  #failedMs = Number.NEGATIVE_INFINITY;
  #renewedMs = 0;
  #ticking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#residents = new Residents(options.lingerMs);
    this.#watch = new LeaseWatch(options.deadAfterMs);
  }

  /** Users with a device on this pod. */
  get here(): number {
    return this.#residents.here;
  }

  /** What this pod is known by to the others at the moment. */
  get podId(): string | undefined {
    return this.#own?.pod;
  }

  /** Pods that live, this one included, as listed last. */
  get alivePods(): number {
    return Math.max(1, this.#watch.aliveCount);
  }

  /** Writes that wait or are under way. */
  get pending(): number {
    return this.#inFlight + this.#residents.waiting + this.#evictions.size;
  }

  /** Does not wait for NATS: without it users are remembered, and told about when it is back. */
  async start(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    this.#renewedMs = clock.now();
    await this.#tick();
    this.#timers = [
      clock.setInterval(() => void this.#tick(), leaseMs),
      clock.setInterval(() => this.#sweep(), SWEEP_MS),
    ];
  }

  /** The first device of the user on this pod. */
  came(user: string): void {
    this.#residents.came(user);
    this.#pump();
  }

  /** The last one has gone. */
  left(user: string): void {
    this.#residents.left(user, this.#options.clock.now());
  }

  /** An `offline` event went by. If the user is here, somebody looked a moment too early. */
  sawOffline(user: string): void {
    this.#residents.doubt(user);
    this.#pump();
  }

  /** After the last connection: tells who has not come back elsewhere within the linger. What is left is left to others. */
  async stop(timeoutMs: number): Promise<void> {
    const { clock, store } = this.#options;
    const deadlineMs = clock.now() + timeoutMs;
    while (this.#residents.size > 0 && clock.now() < deadlineMs) await delay(clock, POLL_MS);
    this.#isStopped = true;
    for (const timer of this.#timers) clock.clear(timer);
    await this.#ticking;
    const own = this.#own;
    if (!own) return;
    try {
      if (this.#residents.size === 0) await store.removeLease(own.pod, own.sequence);
      else await store.writeLease(own.pod, 'left', own.sequence);
    } catch (error) {
      this.#trouble('stop', error);
    }
  }

  // --- users -------------------------------------------------------------------------------------------------------

  #sweep(): void {
    const nowMs = this.#options.clock.now();
    this.#residents.sweep(nowMs);
    if (nowMs - this.#renewedMs >= this.#options.renewMs) {
      this.#renewedMs = nowMs;
      this.#residents.renew();
    }
    this.#pump();
  }

  #pump(): void {
    while (this.#own && !this.#isStopped && this.#inFlight < MAX_IN_FLIGHT) {
      if (this.#isPausing) return;
      const task = this.#residents.take();
      const eviction = task ? undefined : this.#evictions.take();
      if (task) void this.#run(this.#settle(task, this.#own.pod), task, this.#residents);
      else if (eviction) void this.#run(this.#evict(eviction), eviction, this.#evictions);
      else return;
    }
  }

  /** Something has failed a moment ago. By a clock that was set back since that moment lies ahead: it does not count. */
  get #isPausing(): boolean {
    const sinceMs = this.#options.clock.now() - this.#failedMs;
    return sinceMs >= 0 && sinceMs < RETRY_MS;
  }

  async #run<T>(work: Promise<void>, task: T, owner: { done(task: T): void; failed(task: T): void }): Promise<void> {
    this.#inFlight++;
    try {
      await work;
      owner.done(task);
    } catch (error) {
      owner.failed(task);
      this.#failedMs = this.#options.clock.now();
      this.#trouble('settle', error);
    }
    this.#inFlight--;
    this.#pump();
  }

  async #settle({ kind, user }: Task, pod: string): Promise<void> {
    const { store } = this.#options;
    if (kind === 'arrive') {
      await store.putEntry(user, pod);
      // Too late to be found among those of a life that has ended meanwhile.
      if (pod !== this.#own?.pod) return store.removeEntry(user, pod);
      if ((await settleOnline(store, user)) === 'told') this.told.online++;
    } else {
      await store.removeEntry(user, pod);
      await this.#settleOffline(user);
    }
  }

  async #evict({ user, pod }: Eviction): Promise<void> {
    await this.#options.store.removeEntry(user, pod);
    await this.#settleOffline(user);
  }

  async #settleOffline(user: string): Promise<void> {
    const { store } = this.#options;
    if ((await settleOffline(store, (pod) => this.#isAlive(pod), user)) === 'told') this.told.offline++;
  }

  #isAlive(pod: string): boolean | Promise<boolean> {
    if (pod === this.#own?.pod) return true;
    const known = this.#watch.leases.get(pod);
    // Who has ended does not come back. Of the others only the leader knows: one that is not listed may have come since, and
    // one that was declared dead since may have written an entry late, after everybody had been cleared away.
    if (known !== undefined && known.state !== 'alive') return false;
    return this.#options.store.readLease(pod).then((lease) => lease?.state === 'alive');
  }

  // --- leases ------------------------------------------------------------------------------------------------------

  #tick(): Promise<void> {
    this.#ticking ??= this.#lookAtLeases().finally(() => (this.#ticking = undefined));
    return this.#ticking;
  }

  async #lookAtLeases(): Promise<void> {
    if (this.#isStopped) return;
    try {
      await this.#holdLease();
      if (this.#own) await this.#clearAway();
      const leases = await this.#options.store.listLeases();
      if (this.#own) await this.#declareDead(leases, this.#own.pod);
    } catch (error) {
      this.#trouble('lease', error);
    }
    this.#pump();
  }

  async #holdLease(): Promise<void> {
    const { store, newPodId, onNotice } = this.#options;
    const own = this.#own;
    if (own) {
      const sequence = await store.writeLease(own.pod, 'alive', own.sequence);
      if (sequence !== undefined) {
        own.sequence = sequence;
        return;
      }
      // Ours after all, if the acknowledgement of an earlier write was lost.
      const found = await store.readLease(own.pod);
      if (found?.state === 'alive' && found.sequence > own.sequence) {
        own.sequence = found.sequence;
        return;
      }
      this.#own = undefined;
      this.#ended.push({ pod: own.pod });
      onNotice?.({ kind: 'lease_lost', pod: own.pod });
    }
    const pod = newPodId();
    const sequence = await store.writeLease(pod, 'alive', 0);
    if (sequence === undefined || this.#isStopped) return;
    this.#residents.startAgain();
    this.#own = { pod, sequence };
  }

  async #declareDead(leases: readonly Lease[], own: string): Promise<void> {
    const suspects = this.#watch.observe(leases, own);
    // By us, as it seems; if it was another pod, two clear away, which tells nothing twice.
    const ours = leases.filter(({ pod, state }) => state === 'dead' && this.#unanswered.has(pod));
    this.#unanswered.clear();
    for (const lease of new Set([...suspects, ...ours])) if (!this.#evictions.has(lease.pod)) await this.#claim(lease);
    await this.#clearAway();
  }

  /** Whoever's write comes first declares it dead, and clears away; a pod that has written meanwhile is not dead. */
  async #claim({ pod, sequence }: Lease): Promise<void> {
    this.#unanswered.add(pod);
    const claimed = await this.#options.store.writeLease(pod, 'dead', sequence);
    this.#unanswered.delete(pod);
    if (claimed !== undefined) this.#ended.push({ pod, claimed });
  }

  /**
   * Of other pods after the claim: an entry that is written later does not count any more, for anybody who looks. Of former
   * lives what came too late for whoever ended them.
   */
  async #clearAway(): Promise<void> {
    const { store, onNotice } = this.#options;
    for (let ended = this.#ended[0]; ended !== undefined; ended = this.#ended[0]) {
      const { pod, claimed } = ended;
      const users = await store.usersOf(pod);
      this.#ended.shift();
      if (this.#evictions.has(pod)) continue;
      if (claimed !== undefined) onNotice?.({ kind: 'pod_declared_dead', pod, users: users.length });
      this.#evictions.add(pod, users, () => {
        if (claimed === undefined) return;
        store.removeLease(pod, claimed).catch((error: unknown) => this.#trouble('clear away', error));
      });
    }
  }

  #trouble(during: string, error: unknown): void {
    this.#options.onNotice?.({ kind: 'trouble', during, error });
  }
}

// A bucket and a stream in memory, and pods that reach them over links with latency: links that can be cut (what was asked
// may have been done, or not) and that hang for good when the pod is killed.
import type { ManualClock } from '../operations/manual-clock.fixture.ts';
import { Presence } from './presence.ts';
import type { Lease, LeaseState, PresenceStore, Told, UserState } from './store.ts';

export const LINGER_MS = 3_000;
export const LEASE_MS = 4_000;
export const DEAD_AFTER_MS = 16_000;

interface ToldEvent {
  readonly user: string;
  readonly state: UserState;
  readonly sequence: number;
}

export class ModelServer {
  readonly clock: ManualClock;
  readonly leases: Map<string, Lease> = new Map();
  /** `user pod`. A removed one shows for a while. */
  readonly entries: Map<string, { removedAtMs?: number }> = new Map();
  readonly events: ToldEvent[] = [];
  readonly watchers: Set<(event: ToldEvent) => void> = new Set();
  #sequence = 0;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  nextSequence(): number {
    return ++this.#sequence;
  }

  /** `user pod`. */
  liveEntries(): string[] {
    return [...this.entries].filter(([, entry]) => isThere(entry)).map(([key]) => key);
  }

  told(user: string): Told {
    const told = { online: 0, offline: 0 };
    for (const event of this.events) if (event.user === user) told[event.state] = event.sequence;
    return told;
  }

  isOnline(user: string): boolean {
    const { online, offline } = this.told(user);
    return online > offline;
  }

  tell(user: string, state: UserState, after: number): boolean {
    if (this.told(user)[state] !== after) return false;
    const event = { user, state, sequence: this.nextSequence() };
    this.events.push(event);
    for (const watch of this.watchers) watch(event);
    return true;
  }

  writeLease(pod: string, state: LeaseState | 'removed', after: number): number | undefined {
    if ((this.leases.get(pod)?.sequence ?? 0) !== after) return undefined;
    const sequence = this.nextSequence();
    if (state === 'removed') this.leases.delete(pod);
    else this.leases.set(pod, { pod, state, sequence, timeMs: this.clock.now() });
    return sequence;
  }
}

export class ModelPod implements PresenceStore {
  readonly presence: Presence;
  /** Devices by user. */
  readonly devices: Map<string, number> = new Map();
  isCut = false;
  isKilled = false;
  readonly #server: ModelServer;
  readonly #random: () => number;
  readonly #missed: ToldEvent[] = [];

  constructor(server: ModelServer, random: () => number, name: string) {
    this.#server = server;
    this.#random = random;
    let lives = 0;
    this.presence = new Presence({
      store: this,
      clock: server.clock,
      newPodId: () => `${name}.${++lives}`,
      lingerMs: LINGER_MS,
      leaseMs: LEASE_MS,
      deadAfterMs: DEAD_AFTER_MS,
      renewMs: 3_600_000,
    });
    server.watchers.add((event) => {
      if (this.isCut) this.#missed.push(event);
      else this.#see(event);
    });
    void this.presence.start();
  }

  open(user: string): void {
    const devices = this.devices.get(user) ?? 0;
    this.devices.set(user, devices + 1);
    if (devices === 0) this.presence.came(user);
  }

  close(user: string): void {
    const devices = this.devices.get(user) ?? 0;
    if (devices === 0) return;
    if (devices === 1) {
      this.devices.delete(user);
      this.presence.left(user);
    } else this.devices.set(user, devices - 1);
  }

  closeAll(): void {
    for (const user of [...this.devices.keys()]) {
      this.devices.set(user, 1);
      this.close(user);
    }
  }

  kill(): void {
    this.isKilled = true;
    this.devices.clear();
  }

  heal(): void {
    this.isCut = false;
    for (const event of this.#missed.splice(0)) this.#see(event);
  }

  putEntry(user: string, pod: string): Promise<void> {
    return this.#ask(() => void this.#server.entries.set(`${user} ${pod}`, {}));
  }

  removeEntry(user: string, pod: string): Promise<void> {
    const removedAtMs = this.#server.clock.now();
    return this.#ask(() => void this.#server.entries.set(`${user} ${pod}`, { removedAtMs }));
  }

  async podsOf(user: string): Promise<readonly string[]> {
    // One after the other, as the real one reads them.
    const pods: string[] = [];
    for (const key of await this.#ask(() => [...this.#server.entries.keys()])) {
      const [owner, pod = ''] = key.split(' ');
      if (owner === user && (await this.#ask(() => isThere(this.#server.entries.get(key))))) pods.push(pod);
    }
    const now = await this.#ask(() => [...this.#server.entries].filter(([, entry]) => isThere(entry)));
    for (const [key] of now) {
      const [owner, pod = ''] = key.split(' ');
      if (owner === user && !pods.includes(pod)) pods.push(pod);
    }
    return pods;
  }

  usersOf(pod: string): Promise<readonly string[]> {
    return this.#ask(() => {
      const keys = [...this.#server.entries.keys()].map((key) => key.split(' '));
      return keys.filter(([, of]) => of === pod).map(([user = '']) => user);
    });
  }

  readTold(user: string): Promise<Told> {
    return this.#ask(() => this.#server.told(user));
  }

  tell(user: string, state: UserState, after: number): Promise<boolean> {
    return this.#ask(() => this.#server.tell(user, state, after));
  }

  writeLease(pod: string, state: LeaseState, after: number): Promise<number | undefined> {
    return this.#ask(() => this.#server.writeLease(pod, state, after));
  }

  readLease(pod: string): Promise<Lease | undefined> {
    return this.#ask(() => this.#server.leases.get(pod));
  }

  listLeases(): Promise<readonly Lease[]> {
    return this.#ask(() => [...this.#server.leases.values()]);
  }

  removeLease(pod: string, after: number): Promise<void> {
    return this.#ask(() => void this.#server.writeLease(pod, 'removed', after));
  }

  #see({ user, state }: ToldEvent): void {
    this.#server.clock.setTimeout(() => {
      if (state === 'offline' && !this.isKilled) this.presence.sawOffline(user);
    }, this.#latencyMs());
  }

  /** Takes effect on the way, or not at all; the answer comes later, or not at all. */
  async #ask<T>(act: () => T): Promise<T> {
    await this.#wait();
    const isLost = this.isCut && this.#random() < 0.5;
    if (isLost) throw new Error('cut off');
    const answer = act();
    await this.#wait();
    if (this.isCut) throw new Error('cut off');
    return answer;
  }

  #wait(): Promise<void> {
    if (this.isKilled) return new Promise(() => {});
    if (this.isCut && this.#random() < 0.5) return Promise.reject(new Error('cut off'));
    return new Promise((resolve) => {
      this.#server.clock.setTimeout(() => {
        // A killed pod's request may still be on its way, its answer never comes.
        if (!this.isKilled || this.#random() < 0.5) resolve();
      }, this.#latencyMs());
    });
  }

  #latencyMs(): number {
    return this.#random() < 0.9 ? this.#random() * 20 : this.#random() * 400;
  }
}

const isThere = (entry: { readonly removedAtMs?: number } | undefined): boolean =>
  entry !== undefined && entry.removedAtMs === undefined;

// Pure. The users of this pod: who is here, who has just left, and what is to be written because of it. Holds a user for
// as long as a device is here, the linger after it, and until their entry is gone; time is an argument.
//
//   came ──▶ (arrive) ──▶ settled ──left──▶ lingering ──▶ (leave) ──▶ forgotten
//                            ▲───────came───────┘             a failed task is taken again

export interface Task {
  readonly kind: 'arrive' | 'leave';
  readonly user: string;
  /** The entries that it is about: those of an earlier life of the pod are somebody else's to remove. */
  readonly life: number;
}

interface Resident {
  isHere: boolean;
  /** An entry may exist, or the user have been told to be online. */
  hasEntry: boolean;
  /** The entry was written, and the user told to be online, since the last doubt. */
  isSettled: boolean;
  isBusy: boolean;
}

export class Residents {
  readonly #lingerMs: number;
  readonly #residents = new Map<string, Resident>();
  /** Who has left, and when that counts, oldest first. */
  readonly #lingering = new Map<string, number>();
  readonly #dirty = new Set<string>();
  #life = 0;
  #here = 0;

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs;
  }

  /** Everybody it knows of, also those whose leave is not done. */
  get size(): number {
    return this.#residents.size;
  }

  /** Users with a device here. */
  get here(): number {
    return this.#here;
  }

  /** Those with something to be written. */
  get waiting(): number {
    return this.#dirty.size;
  }

  came(user: string): void {
    const resident = this.#residents.get(user);
    if (!resident) {
      this.#residents.set(user, { isHere: true, hasEntry: false, isSettled: false, isBusy: false });
    } else if (resident.isHere) return;
    else resident.isHere = true;
    this.#here++;
    this.#lingering.delete(user);
    if (!resident?.isSettled) this.#dirty.add(user);
  }

  left(user: string, nowMs: number): void {
    const resident = this.#residents.get(user);
    if (!resident?.isHere) return;
    resident.isHere = false;
    this.#here--;
    this.#lingering.set(user, nowMs + this.#lingerMs);
  }

  /** Somebody else has told that the user is offline: what we wrote may be gone. Ignored for users who are not here. */
  doubt(user: string): void {
    const resident = this.#residents.get(user);
    if (!resident?.isHere) return;
    resident.isSettled = false;
    this.#dirty.add(user);
  }

  /** The pod begins another life: all entries are to be written again, those of the old one are no longer ours. */
  startAgain(): void {
    this.#life++;
    for (const [user, resident] of this.#residents) {
      resident.isSettled = false;
      // Of who is not here the leave remains to be told: where the bucket is another one, nobody finds an entry to tell it by.
      if (!resident.isHere) continue;
      resident.hasEntry = false;
      this.#dirty.add(user);
    }
  }

  /** All entries are to be written again, so that they do not age. */
  renew(): void {
    for (const [user, resident] of this.#residents) {
      resident.isSettled = false;
      if (resident.isHere) this.#dirty.add(user);
    }
  }

  /** Ends what has lingered long enough. */
  sweep(nowMs: number): void {
    for (const [user, dueMs] of this.#lingering) {
      // Nobody lingers longer than that: such a time is of a clock that was set back since.
      if (dueMs > nowMs && dueMs <= nowMs + this.#lingerMs) break;
      this.#lingering.delete(user);
      const { hasEntry, isBusy } = this.#residents.get(user)!;
      if (hasEntry || isBusy) this.#dirty.add(user);
      else this.#forget(user);
    }
  }

  /** The next thing to do; each taken task needs a `done` or `failed`. */
  take(): Task | undefined {
    for (const user of this.#dirty) {
      const resident = this.#residents.get(user)!;
      if (resident.isBusy) continue;
      this.#dirty.delete(user);
      const life = this.#life;
      if (resident.isHere) {
        if (resident.isSettled) continue;
        resident.isBusy = true;
        resident.hasEntry = true;
        return { kind: 'arrive', user, life };
      }
      // While lingering nothing is written; its end comes back here.
      if (this.#lingering.has(user)) continue;
      if (!resident.hasEntry) {
        this.#forget(user);
        continue;
      }
      resident.isBusy = true;
      return { kind: 'leave', user, life };
    }
    return undefined;
  }

  done({ kind, user, life }: Task): void {
    const resident = this.#residents.get(user)!;
    resident.isBusy = false;
    if (kind === 'leave') resident.hasEntry = resident.isSettled = false;
    else if (life === this.#life) resident.isSettled = !this.#dirty.has(user);
    this.#look(user, resident);
  }

  failed({ user }: Task): void {
    const resident = this.#residents.get(user)!;
    resident.isBusy = false;
    resident.isSettled = false;
    this.#look(user, resident);
  }

  /** What is to be done next for somebody whose task has ended. */
  #look(user: string, resident: Resident): void {
    if (resident.isHere ? !resident.isSettled : !this.#lingering.has(user)) {
      if (resident.isHere || resident.hasEntry) this.#dirty.add(user);
      else this.#forget(user);
    }
  }

  #forget(user: string): void {
    this.#residents.delete(user);
    this.#dirty.delete(user);
  }
}

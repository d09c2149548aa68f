// Whom to look at when, in slots of half a second: a pod with 100,000 idle connections looks only at those for whom
// something is due.

const SLOT_MS = 500;

export interface Appointed {
  /** Slot of the agenda, kept by it; -1 while in none. */
  slot: number;
}

export class Agenda<T extends Appointed> {
  readonly #slots = new Map<number, Set<T>>();
  #nextSlot = 0;

  /** Puts somebody at a time, instead of the one before. Infinity is never. */
  put(who: T, atMs: number): void {
    this.remove(who);
    if (atMs === Number.POSITIVE_INFINITY) return;
    // The slot that begins at or after the time: nobody is looked at too early. One in the past comes next.
    who.slot = Math.max(Math.ceil(atMs / SLOT_MS), this.#nextSlot);
    let slot = this.#slots.get(who.slot);
    if (!slot) this.#slots.set(who.slot, (slot = new Set()));
    slot.add(who);
  }

  remove(who: T): void {
    if (who.slot < 0) return;
    const slot = this.#slots.get(who.slot);
    slot?.delete(who);
    if (slot?.size === 0) this.#slots.delete(who.slot);
    who.slot = -1;
  }

  /** Takes out everybody whose time has come. Called at least every few slots. */
  take(nowMs: number): T[] {
    const last = Math.floor(nowMs / SLOT_MS);
    // After a clock that was set, or at the first call, slots are found by their numbers instead of counted through.
    const due = [...this.#slots.keys()].filter((slot) => slot <= last).sort((a, b) => a - b);
    this.#nextSlot = last + 1;
    const taken: T[] = [];
    for (const slot of due) {
      for (const who of this.#slots.get(slot)!) {
        who.slot = -1;
        taken.push(who);
      }
      this.#slots.delete(slot);
    }
    return taken;
  }
}

// Pure. How far a reader has come in one generation of its stream.

import type { Covered, StoredAt } from './continuity.ts';

export class ReaderHead {
  /** Last sequence that was delivered, or the one before the generation's first. */
  sequence = 0;
  #timeMs = 0;
  #isDelivered = false;
  #covered: Covered = { from: 0, through: 0 };

  /** A generation begins. */
  begin(firstSequence: number, covered: Covered): void {
    this.sequence = firstSequence - 1;
    this.#isDelivered = false;
    this.#covered = covered;
  }

  advance(sequence: number, timeMs: number): void {
    this.sequence = sequence;
    this.#timeMs = timeMs;
    this.#isDelivered = true;
  }

  /** Nothing is stored between the head and `through`. */
  cover(through: number): void {
    this.#covered = { from: this.sequence, through };
  }

  /** Nothing stored at or below was missed. */
  get vouched(): number {
    const { from, through } = this.#covered;
    return this.sequence >= from ? Math.max(this.sequence, through) : this.sequence;
  }

  /** The message at the head, unless nothing was delivered yet. */
  get message(): StoredAt | undefined {
    return this.#isDelivered ? { sequence: this.sequence, timeMs: this.#timeMs } : undefined;
  }
}

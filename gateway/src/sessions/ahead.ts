// A position past this pod's head: it may be a few seconds behind, or the stream may really end before the position. Only
// the stream's leader can tell, and has to say so twice.
import type { Tail } from '../log/tail.ts';
import type { Pod } from './pod.ts';

/** Two readings of the leader's end this far apart must agree before a position counts as past the end. */
const CONFIRM_MS = 2_000;

export class Ahead {
  readonly #tail: Tail;
  readonly #sequence: number;
  readonly #pod: Pick<Pod, 'readThrough' | 'leaderOf'>;
  /** Since when the leader ends below the position; 0 while it does not. */
  #shortSinceMs = 0;

  constructor(tail: Tail, sequence: number, pod: Pick<Pod, 'readThrough' | 'leaderOf'>) {
    this.#tail = tail;
    this.#sequence = sequence;
    this.#pod = pod;
  }

  isAbout(tail: Tail, sequence: number): boolean {
    return this.#tail === tail && this.#sequence === sequence;
  }

  /** `reached`: the pod has got there. `past_end`: the stream ends before it. Readings before the wait say nothing. */
  look(sinceMs: number): 'waiting' | 'reached' | 'past_end' {
    const { stream, head } = this.#tail;
    if (head >= this.#sequence || this.#pod.readThrough(stream) >= this.#sequence) return 'reached';
    const leader = this.#pod.leaderOf(stream);
    if (leader && leader.readMs >= sinceMs) {
      if (leader.lastSequence >= this.#sequence) this.#shortSinceMs = 0;
      else if (this.#shortSinceMs === 0) this.#shortSinceMs = leader.readMs;
      else if (leader.readMs - this.#shortSinceMs >= CONFIRM_MS) return 'past_end';
    }
    return 'waiting';
  }
}

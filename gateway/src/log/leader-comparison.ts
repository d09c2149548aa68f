// Pure. Compares a reader's head with what the stream's leader says it holds, over time: a single difference means
// nothing, since deliveries and readings travel different ways.

export interface LeaderFigures {
  readonly lastSequence: number;
  /** The reader's head before the leader was asked: what was delivered since may be newer than the answer. */
  readonly headBefore: number;
  readonly head: number;
  /** When the head last moved. */
  readonly advancedMs: number;
}

export const DISAGREEMENT_MS = 3_000;

export class LeaderComparison {
  #ahead: { readonly sequence: number; readonly sinceMs: number } | undefined;
  #behindSinceMs: number | undefined;

  reset(): void {
    this.#ahead = undefined;
    this.#behindSinceMs = undefined;
  }

  /** `ahead`: the leader holds what the reader has not got. `behind`: the leader ends below what was read. */
  judge(figures: LeaderFigures, nowMs: number): 'agrees' | 'ahead' | 'behind' {
    const { lastSequence, headBefore, head, advancedMs } = figures;
    if (lastSequence >= headBefore) this.#behindSinceMs = undefined;
    else this.#behindSinceMs ??= nowMs;
    if (this.#behindSinceMs !== undefined && nowMs - this.#behindSinceMs >= DISAGREEMENT_MS) {
      this.#behindSinceMs = undefined;
      return 'behind';
    }
    if (this.#ahead !== undefined && head >= this.#ahead.sequence) this.#ahead = undefined;
    if (lastSequence > head) this.#ahead ??= { sequence: lastSequence, sinceMs: nowMs };
    if (this.#ahead === undefined) return 'agrees';
    // A backlog is worked off: slow is not deaf.
    if (nowMs - Math.max(this.#ahead.sinceMs, advancedMs) < DISAGREEMENT_MS) return 'agrees';
    this.#ahead = undefined;
    return 'ahead';
  }
}

// The events that a channel's live subscribers have yet to get. Batches are lent: a pod has many channels and few of them
// hold events at a time, so that a handful of arrays serves all, and stays in the processor's cache.
import type { Segment } from '../log/segment.ts';

export class Batch {
  readonly segments: Segment[] = [];
  readonly numbers: number[] = [];
  /** Which stream of the channel each event came from. */
  readonly origins: number[] = [];
  byteLength = 0;

  get length(): number {
    return this.numbers.length;
  }

  add(segment: Segment, number: number, origin: number): void {
    this.segments.push(segment);
    this.numbers.push(number);
    this.origins.push(origin);
    this.byteLength += segment.offsets[number + 1]! - segment.offsets[number]! + FRAME_BYTES;
  }

  /** Sequence of the first event from a stream of the channel; undefined if there is none. */
  firstSequence(origin: number): number | undefined {
    const first = this.origins.indexOf(origin);
    return first < 0 ? undefined : this.segments[first]!.sequences[this.numbers[first]!];
  }

  clear(): void {
    this.segments.length = 0;
    this.numbers.length = 0;
    this.origins.length = 0;
    this.byteLength = 0;
  }
}

/** What a frame takes beside its payload, about. */
const FRAME_BYTES = 64;
/** More than these are left to the garbage collector when they come back. */
const MAX_SPARE_BATCHES = 256;

export class BatchPool {
  readonly #spare: Batch[] = [];

  take(): Batch {
    return this.#spare.pop() ?? new Batch();
  }

  give(batch: Batch): void {
    batch.clear();
    if (this.#spare.length < MAX_SPARE_BATCHES) this.#spare.push(batch);
  }
}

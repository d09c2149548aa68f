// The events that a channel's live subscribers have yet to get. Batches are lent: a pod has many channels and few of them
// hold events at a time, so that a handful of arrays serves all, and stays in the processor's cache.
//
// Events of conflated types are held beside the others, the newest of each subject. Whatever is added later moves them in
// with the others: what leaves together leaves in the order of the streams (I1).
import type { Segment } from '../log/segment.ts';

export class Batch {
  readonly segments: Segment[] = [];
  readonly numbers: number[] = [];
  /** Which stream of the channel each event came from. */
  readonly origins: number[] = [];
  byteLength = 0;
  /** By subject, in order of arrival; made for the first event that is held. */
  #held: Map<string, Held> | undefined;

  get length(): number {
    return this.numbers.length + (this.#held?.size ?? 0);
  }

  add(segment: Segment, number: number, origin: number): void {
    if (this.#held !== undefined) this.settle();
    this.#push(segment, number, origin);
    this.byteLength += bytesOf(segment, number);
  }

  /** Instead of what is held of its subject. Returns whether there was something; only a deliverable event may do this. */
  hold(segment: Segment, number: number, origin: number): boolean {
    const subject = segment.subjects[number]!;
    const older = this.#held?.get(subject);
    // One that expires sooner must not leave the subject without any.
    const isReplaced = older !== undefined && doesOutlive(segment, number, older);
    if (isReplaced) {
      // Deleted, so that it is the newest one's arrival that counts.
      this.#held!.delete(subject);
      this.byteLength -= bytesOf(older.segment, older.number);
    } else if (older) this.settle();
    (this.#held ??= new Map()).set(subject, { segment, number, origin });
    this.byteLength += bytesOf(segment, number);
    return isReplaced;
  }

  /** What is held joins the others, from where nothing takes its place any more. */
  settle(): void {
    if (this.#held === undefined || this.#held.size === 0) return;
    for (const { segment, number, origin } of this.#held.values()) this.#push(segment, number, origin);
    this.#held.clear();
  }

  /** Sequence of the first event from a stream of the channel; undefined if there is none. */
  firstSequence(origin: number): number | undefined {
    const first = this.origins.indexOf(origin);
    if (first >= 0) return this.segments[first]!.sequences[this.numbers[first]!];
    for (const held of this.#held?.values() ?? []) {
      if (held.origin === origin) return held.segment.sequences[held.number]!;
    }
    return undefined;
  }

  clear(): void {
    this.segments.length = 0;
    this.numbers.length = 0;
    this.origins.length = 0;
    this.#held?.clear();
    this.byteLength = 0;
  }

  #push(segment: Segment, number: number, origin: number): void {
    this.segments.push(segment);
    this.numbers.push(number);
    this.origins.push(origin);
  }
}

interface Held {
  readonly segment: Segment;
  readonly number: number;
  readonly origin: number;
}

const doesOutlive = (segment: Segment, number: number, older: Held): boolean =>
  segment.expiresAtMs(number) >= older.segment.expiresAtMs(older.number);

const bytesOf = (segment: Segment, number: number): number =>
  segment.offsets[number + 1]! - segment.offsets[number]! + FRAME_BYTES;

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

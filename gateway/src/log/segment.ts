// A run of consecutive events of one stream in memory. Pure. Payload bytes are copied into one slab, since the views
// that the NATS client hands out pin a 64 KB socket chunk each. Knows nothing of channels: filters are strings to it.

/** Events a segment holds at most: large enough that one index serves many reads, small enough to evict finely. */
export const SEGMENT_EVENTS = 4_096;
/** A segment is sealed once its payloads take this much. */
const SEGMENT_PAYLOAD_BYTES = 1024 * 1024;
const FIRST_SLAB_BYTES = 64 * 1024;
/** Of the fixed arrays, per event. */
const ARRAY_BYTES = 21;
/** What V8 takes for a subject of usual length. */
const SUBJECT_BYTES = 96;
/** Map entry plus key text, by measurement of a full index. */
const INDEX_ENTRY_BYTES = 140;
const EXPIRY_BYTES = 48;

/** Fills `into` with the filters that a subject belongs to, a filter always in the same slot; returns how many. */
export type FiltersOf = (subject: string, into: string[]) => number;

/** Slots share an integer with the event's number: `number * MAX_FILTER_SLOTS + slot`. */
export const MAX_FILTER_SLOTS = 64;

export class Segment {
  readonly capacity: number;
  readonly sequences: Float64Array;
  readonly timesMs: Float64Array;
  readonly subjects: string[] = [];
  /** Payload i is slab[offsets[i]] up to slab[offsets[i + 1]]. */
  readonly offsets: Uint32Array;
  /** What the payload gate found; written by the gate only. */
  readonly verdicts: Uint8Array;
  readonly #transcoded = new Map<number, Uint8Array>();
  /** When events expire, of the few that do. */
  #expiries: Map<number, number> | undefined;
  slab: Buffer = Buffer.allocUnsafeSlow(FIRST_SLAB_BYTES);
  count = 0;
  #transcodedBytes = 0;
  #indexedCount = 0;
  /** Newest event of a filter, with its slot; older ones are chained through #previous[slot]. */
  readonly #newest = new Map<string, number>();
  readonly #previous: Int32Array[] = [];

  /** `capacity` in events: the tail's segments have the usual one, a page from JetStream is made to measure. */
  constructor(capacity: number = SEGMENT_EVENTS) {
    this.capacity = capacity;
    this.sequences = new Float64Array(capacity);
    this.timesMs = new Float64Array(capacity);
    this.offsets = new Uint32Array(capacity + 1);
    this.verdicts = new Uint8Array(capacity);
  }

  get isFull(): boolean {
    return this.count === this.capacity || this.offsets[this.count]! >= SEGMENT_PAYLOAD_BYTES;
  }

  get byteLength(): number {
    const index = this.#newest.size * INDEX_ENTRY_BYTES + this.#previous.length * this.capacity * 4;
    const more = this.#transcodedBytes + (this.#expiries?.size ?? 0) * EXPIRY_BYTES + index;
    return this.slab.length + this.capacity * ARRAY_BYTES + this.count * SUBJECT_BYTES + more;
  }

  get firstSequence(): number {
    return this.sequences[0]!;
  }

  get lastSequence(): number {
    return this.sequences[this.count - 1]!;
  }

  /** Copies the payload: the caller's view may die. The caller checks `isFull` first. */
  append(sequence: number, timeMs: number, subject: string, payload: Uint8Array, expiresAtMs?: number): void {
    const number = this.count;
    const start = this.offsets[number]!;
    const end = start + payload.length;
    if (end > this.slab.length) this.#grow(end);
    this.slab.set(payload, start);
    this.sequences[number] = sequence;
    this.timesMs[number] = timeMs;
    this.subjects.push(subject);
    this.offsets[number + 1] = end;
    if (expiresAtMs !== undefined) this.keepExpiry(number, expiresAtMs);
    this.count = number + 1;
  }

  /** No more events will come: gives back what the slab has too much. */
  seal(): void {
    const used = this.offsets[this.count]!;
    if (used < this.slab.length) {
      const exact = Buffer.allocUnsafeSlow(used);
      this.slab.copy(exact, 0, 0, used);
      this.slab = exact;
    }
  }

  payload(number: number): Uint8Array {
    return this.slab.subarray(this.offsets[number], this.offsets[number + 1]);
  }

  /** The payload in another form (`form` is the caller's numbering, 0 or 1), if it was kept. */
  transcoded(number: number, form: 0 | 1): Uint8Array | undefined {
    return this.#transcoded.get(number * 2 + form);
  }

  /** Remembers a payload's other form for as long as the segment lives. */
  keepTranscoded(number: number, form: 0 | 1, bytes: Uint8Array): void {
    this.#transcoded.set(number * 2 + form, bytes);
    this.#transcodedBytes += bytes.length + 64;
  }

  /** False where no event is known to expire: most segments need not be asked any further. */
  get hasExpiries(): boolean {
    return this.#expiries !== undefined;
  }

  /** When the event expires, as far as that is known; Infinity if it does not. */
  expiresAtMs(number: number): number {
    return this.#expiries?.get(number) ?? Number.POSITIVE_INFINITY;
  }

  keepExpiry(number: number, atMs: number): void {
    (this.#expiries ??= new Map()).set(number, atMs);
  }

  /** Number of the first event with a sequence greater than `sequence`; `count` if there is none. */
  numberAfter(sequence: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sequences[middle]! <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Number of the event with exactly this sequence, or -1. */
  numberOf(sequence: number): number {
    const number = this.numberAfter(sequence - 1);
    return number < this.count && this.sequences[number] === sequence ? number : -1;
  }

  /**
   * Ascending numbers of the events from `from` to below `until` that belong to one of the filters.
   * Indexes what has been appended since the last call: nobody pays for an index that nobody reads.
   */
  numbersOf(filters: readonly string[], from: number, until: number, filtersOf: FiltersOf): number[] {
    if (this.#indexedCount < this.count) this.#extendIndex(filtersOf);
    const numbers: number[] = [];
    for (const filter of filters) {
      const packed = this.#newest.get(filter);
      if (packed === undefined) continue;
      const previous = this.#previous[packed % MAX_FILTER_SLOTS]!;
      for (let number = Math.floor(packed / MAX_FILTER_SLOTS); number >= from; number = previous[number]!) {
        if (number < until) numbers.push(number);
      }
    }
    if (filters.length === 1) return numbers.reverse();
    numbers.sort((a, b) => a - b);
    return numbers.filter((number, i) => i === 0 || number !== numbers[i - 1]);
  }

  #grow(needed: number): void {
    let length = this.slab.length * 2;
    while (length < needed) length *= 2;
    const larger = Buffer.allocUnsafeSlow(length);
    this.slab.copy(larger, 0, 0, this.offsets[this.count]);
    this.slab = larger;
  }

  #extendIndex(filtersOf: FiltersOf): void {
    const filters: string[] = [];
    for (let number = this.#indexedCount; number < this.count; number++) {
      const slots = filtersOf(this.subjects[number]!, filters);
      for (let slot = 0; slot < slots; slot++) {
        const filter = filters[slot]!;
        if (filter === '') continue;
        const previous = (this.#previous[slot] ??= new Int32Array(this.capacity));
        const newest = this.#newest.get(filter);
        previous[number] = newest === undefined ? -1 : Math.floor(newest / MAX_FILTER_SLOTS);
        this.#newest.set(filter, number * MAX_FILTER_SLOTS + slot);
      }
    }
    this.#indexedCount = this.count;
  }
}

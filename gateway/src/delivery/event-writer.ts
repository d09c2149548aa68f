// Frames events into one growing buffer. The bytes it hands out are a view that the next `begin` overwrites: whoever
// keeps them copies them. One writer serves the whole pod.
import {
  eventHeadJson,
  MAX_EVENT_HEAD_BYTES,
  packTypeName,
  typeOfSubject,
  writeEventHead,
  type Catalogue,
  type Encoding,
} from '@sluice/schemas';
import type { Segment } from '../log/segment.ts';
import type { PayloadGate } from './payload-gate.ts';

interface TypeName {
  readonly packed: Uint8Array;
  readonly json: string;
  /** In either encoding. */
  readonly maxBytes: number;
}

const MAX_TYPES = 10_000;
const FIRST_BUFFER_BYTES = 256 * 1024;
/** How much lies between two offsets at which a chunk may be split into messages. */
const PIECE_BYTES = 8 * 1024;

export class EventWriter {
  readonly #catalogue: Catalogue;
  readonly #gate: PayloadGate;
  /** By the first and the last token of the subject. */
  readonly #types = new Map<string, Map<string, TypeName>>();
  #typeCount = 0;
  #buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES);
  #length = 0;
  #count = 0;
  #ends: number[] = [];
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #encoding: Encoding = 'msgpack';

  constructor(catalogue: Catalogue, gate: PayloadGate) {
    this.#catalogue = catalogue;
    this.#gate = gate;
  }

  begin(encoding: Encoding): void {
    this.#encoding = encoding;
    this.#length = 0;
    this.#count = 0;
    this.#ends = [];
    this.#expiresAtMs = Number.POSITIVE_INFINITY;
  }

  /** Adds an event's frame; a refused event adds nothing. */
  add(ref: number, segment: Segment, number: number): void {
    const payload = this.#gate.payload(segment, number, this.#encoding);
    if (!payload) return;
    if (segment.hasExpiries) this.#expiresAtMs = Math.min(this.#expiresAtMs, segment.expiresAtMs(number));
    const start = segment.offsets[number]!;
    const end = segment.offsets[number + 1]!;
    const length = payload === 'as_stored' ? end - start : payload.length;
    const type = this.#typeName(segment.subjects[number]!);
    const sequence = segment.sequences[number]!;
    const timeMs = segment.timesMs[number]!;
    this.#reserve(3 * MAX_EVENT_HEAD_BYTES + type.maxBytes + length);
    let at = this.#length;
    if (this.#encoding === 'msgpack') at = writeEventHead(this.#buffer, at, ref, sequence, timeMs, type.packed);
    else at += this.#buffer.write(eventHeadJson(ref, sequence, timeMs, type.json), at);
    if (payload === 'as_stored') segment.slab.copy(this.#buffer, at, start, end);
    else this.#buffer.set(payload, at);
    at += length;
    if (this.#encoding === 'json') {
      this.#buffer[at++] = 0x5d;
      this.#buffer[at++] = 0x0a;
    }
    this.#length = at;
    this.#count++;
    if (at - (this.#ends.at(-1) ?? 0) >= PIECE_BYTES) this.#ends.push(at);
  }

  /** Frames written since `begin`. */
  get count(): number {
    return this.#count;
  }

  /** When the first of the events written expires: from then on the bytes must not be handed out. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** Offsets between frames, some kilobytes apart: where the bytes may be split into messages. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Valid until the next `begin`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #typeName(subject: string): TypeName {
    const prefix = subject.slice(0, subject.indexOf('.'));
    const last = subject.slice(subject.lastIndexOf('.') + 1);
    const type = this.#types.get(prefix)?.get(last);
    if (type) return type;
    const name = typeOfSubject(this.#catalogue.families, subject)?.name ?? `${prefix}.${last}`;
    const json = JSON.stringify(name);
    const made = { packed: packTypeName(name), json, maxBytes: Buffer.byteLength(json) + 2 };
    // Types that are not in the catalogue come from producers (`pass`): remember a bounded number of them.
    if (this.#typeCount++ < MAX_TYPES) {
      const ofPrefix = this.#types.get(prefix) ?? new Map<string, TypeName>();
      this.#types.set(prefix, ofPrefix.set(last, made));
    }
    return made;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

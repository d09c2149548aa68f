// The one place where payloads are judged, once per event and pod, before they are first framed. Payloads come from
// whoever may publish: an unchecked splice would let a producer forge a frame of another channel or break a whole
// message for every subscriber. Malformed bytes never pass; events that do not fit their schema pass by configuration.
// An event that has expired does not pass either, however often it did before.
import {
  isShallowJson,
  MAX_DEPTH,
  packValue,
  scanMsgpack,
  typeOfSubject,
  unpackValue,
  type Catalogue,
  type Encoding,
} from '@sluice/schemas';
import { Compile, type Validator } from 'typebox/compile';
import { explain } from '../commands/request-check.ts';
import type { Segment } from '../log/segment.ts';
import { TypeTable } from '../log/type-table.ts';

export type Refusal = 'malformed' | 'not_an_object' | 'unknown_type' | 'schema';

export interface PayloadGateOptions {
  /** `sample` looks at one event in a hundred. */
  readonly validate: 'all' | 'sample' | 'off';
  /** What happens to a well-formed event that does not fit its schema or has no type in the catalogue. */
  readonly onInvalid: 'drop' | 'pass';
  /** Told once per refused or (with `pass`) reported event. */
  readonly onRefused: (subject: string, sequence: number, refusal: Refusal, reason: string) => void;
  /** Wall clock: what an event's expiry is compared with. */
  readonly nowMs: () => number;
}

/** Kept in Segment.verdicts. */
const UNCHECKED = 0;
const MSGPACK = 1;
const JSON_TEXT = 2;
/** From here on nothing passes. */
const REFUSED = 3;
const EXPIRED = 4;

/** What was found in a payload. `refusal` without `isMalformed` is a matter of configuration. */
interface Inspected {
  readonly verdict: number;
  /** The msgpack form of a JSON payload. */
  readonly packed?: Uint8Array | undefined;
  readonly refusal?: Refusal;
  readonly reason: string;
  readonly isMalformed?: boolean;
}

const GOOD_MSGPACK: Inspected = { verdict: MSGPACK, reason: '' };

const malformed = (refusal: Refusal, reason: string): Inspected => ({
  verdict: REFUSED,
  refusal,
  reason,
  isMalformed: true,
});

const SAMPLE_ONE_IN = 100;
const FORM = { msgpack: 0, json: 1 } as const satisfies Record<Encoding, 0 | 1>;
const strictText = new TextDecoder('utf-8', { fatal: true });
const text = new TextEncoder();

export class PayloadGate {
  readonly #catalogue: Catalogue;
  readonly #options: PayloadGateOptions;
  readonly #validators = new Map<string, Validator>();
  readonly #expiring: TypeTable<string>;
  #seen = 0;
  /** Events that had expired when they were wanted, each once for as long as it is held. */
  expiredCount = 0;

  constructor(catalogue: Catalogue, options: PayloadGateOptions) {
    this.#catalogue = catalogue;
    this.#options = options;
    for (const family of catalogue.families.values()) {
      for (const type of family.types.values()) this.#validators.set(type.name, Compile(type.schema));
    }
    this.#expiring = new TypeTable(catalogue, ({ expires }) => expires?.field);
  }

  /**
   * The payload in an encoding, safe to splice into a frame: bytes, or `as_stored` where the segment's own are (the usual
   * case, which makes no view of them). Undefined if the event is refused.
   */
  payload(segment: Segment, number: number, encoding: Encoding): Uint8Array | 'as_stored' | undefined {
    const verdict = segment.verdicts[number] || this.#judge(segment, number);
    if (verdict >= REFUSED || (segment.hasExpiries && this.#isExpired(segment, number))) return undefined;
    if (verdict === MSGPACK && encoding === 'msgpack') return 'as_stored';
    const kept = segment.transcoded(number, FORM[encoding]);
    if (kept) return kept;
    // Only JSON for JSON clients gets here: the gate keeps the msgpack form of JSON payloads itself.
    const packed = verdict === MSGPACK ? segment.payload(number) : segment.transcoded(number, FORM.msgpack)!;
    const json = text.encode(JSON.stringify(unpackValue(packed)));
    segment.keepTranscoded(number, FORM.json, json);
    return json;
  }

  /** Whether `payload` would have one for it now. */
  isDeliverable(segment: Segment, number: number): boolean {
    const verdict = segment.verdicts[number] || this.#judge(segment, number);
    return verdict < REFUSED && !(segment.hasExpiries && this.#isExpired(segment, number));
  }

  /** The value of an event that is not stored, by the rules for those that are. Undefined if it is refused. */
  value(subject: string, payload: Uint8Array): unknown {
    const inspected = this.#inspect(subject, payload, 0, payload.length);
    if (inspected.refusal) {
      this.#options.onRefused(subject, 0, inspected.refusal, inspected.reason);
      if (inspected.isMalformed || this.#options.onInvalid === 'drop') return undefined;
    }
    return unpackValue(inspected.packed ?? payload);
  }

  /** The value of a stored event, if it can be read. What is refused is told when the event is delivered, not here. */
  peek(subject: string, payload: Uint8Array): unknown {
    const { packed, isMalformed } = this.#inspect(subject, payload, 0, payload.length);
    return isMalformed ? undefined : unpackValue(packed ?? payload);
  }

  #isExpired(segment: Segment, number: number): boolean {
    if (segment.expiresAtMs(number) > this.#options.nowMs()) return false;
    // For good: a clock that is set back brings nothing back.
    segment.verdicts[number] = EXPIRED;
    this.expiredCount++;
    return true;
  }

  #judge(segment: Segment, number: number): number {
    const { slab, offsets } = segment;
    const subject = segment.subjects[number]!;
    const start = offsets[number]!;
    const end = offsets[number + 1]!;
    const { verdict, packed, refusal, reason, isMalformed } = this.#inspect(subject, slab, start, end);
    segment.verdicts[number] = verdict;
    if (refusal) {
      this.#options.onRefused(subject, segment.sequences[number]!, refusal, reason);
      if (isMalformed || this.#options.onInvalid === 'drop') return (segment.verdicts[number] = REFUSED);
    }
    if (packed) segment.keepTranscoded(number, FORM.msgpack, packed);
    const field = this.#expiring.find(subject);
    if (field !== undefined && segment.expiresAtMs(number) === Number.POSITIVE_INFINITY) {
      const atMs = timeIn(packed ? unpackValue(packed) : unpackValue(slab, start, end), field);
      if (!Number.isNaN(atMs)) segment.keepExpiry(number, atMs);
    }
    return verdict;
  }

  #inspect(subject: string, source: Uint8Array, from: number, to: number): Inspected {
    const verdict = encodingOf(source, from, to);
    if (verdict === UNCHECKED) return malformed('not_an_object', 'neither a msgpack map nor a JSON object');
    let bytes = source;
    let start = from;
    let end = to;
    let packed: Uint8Array | undefined;
    if (verdict === JSON_TEXT) {
      const parsed = packJson(source.subarray(from, to));
      if (typeof parsed === 'string') return malformed('malformed', parsed);
      packed = parsed;
      bytes = parsed;
      start = 0;
      end = parsed.length;
    }
    if (scanMsgpack(bytes, start, end) !== end) return malformed('malformed', 'not one well-formed value');
    const fault = this.#schemaFault(subject, bytes, start, end);
    return fault
      ? { verdict, packed, ...fault, isMalformed: false }
      : packed
        ? { verdict, packed, reason: '' }
        : GOOD_MSGPACK;
  }

  #schemaFault(
    subject: string,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): { refusal: Refusal; reason: string } | undefined {
    const type = typeOfSubject(this.#catalogue.families, subject);
    if (!type) return { refusal: 'unknown_type', reason: 'the catalogue has no such event type' };
    if (this.#options.validate === 'off') return undefined;
    if (this.#options.validate === 'sample' && this.#seen++ % SAMPLE_ONE_IN !== 0) return undefined;
    const validator = this.#validators.get(type.name)!;
    const value = unpackValue(bytes, start, end);
    if (validator.Check(value)) return undefined;
    return { refusal: 'schema', reason: explain(validator, value, end - start) };
  }
}

/** NaN where there is no time that could be read: such an event does not expire. */
const timeIn = (payload: unknown, field: string): number => Date.parse(textIn(payload, field) ?? '');

/** The text in a field of a payload; undefined where there is none. */
export const textIn = (payload: unknown, field: string): string | undefined => {
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, field)) return undefined;
  const text = (payload as Readonly<Record<string, unknown>>)[field];
  return typeof text === 'string' ? text : undefined;
};

/** By the first byte: a payload is an object, and no msgpack map begins like a JSON object. */
const encodingOf = (bytes: Uint8Array, start: number, end: number): number => {
  let at = start;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)) at++;
  if (at === end) return UNCHECKED;
  const first = bytes[at]!;
  if (first === 0x7b) return JSON_TEXT;
  if (at === start && ((first & 0xf0) === 0x80 || first === 0xde || first === 0xdf)) return MSGPACK;
  return UNCHECKED;
};

/** msgpack of a JSON text, or what is wrong with it. */
const packJson = (bytes: Uint8Array): Uint8Array | string => {
  if (!isShallowJson(bytes, MAX_DEPTH)) return 'nested too deeply';
  try {
    const source = strictText.decode(bytes);
    // An escape may stand for half a surrogate pair, which msgpackr writes as bad bytes or as another character.
    if (hasLoneSurrogate(source)) return 'a text is not well-formed Unicode';
    return packValue(JSON.parse(source));
  } catch (error) {
    // TextDecoder and JSON.parse throw on bad input; the reason goes to the log.
    return error instanceof Error ? error.message.slice(0, 200) : 'not JSON';
  }
};

const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Throws on what is no JSON. */
export const hasLoneSurrogate = (json: string): boolean => {
  if (!ESCAPED_SURROGATE.test(json)) return false;
  let isFound = false;
  JSON.parse(json, (key, value: unknown) => {
    isFound ||= LONE_SURROGATE.test(key) || (typeof value === 'string' && LONE_SURROGATE.test(value));
    return value;
  });
  return isFound;
};

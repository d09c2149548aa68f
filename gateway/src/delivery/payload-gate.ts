// The one place where payloads are judged, once per event and pod, before they are first framed. Payloads come from
// whoever may publish: an unchecked splice would let a producer forge a frame of another channel or break a whole
// message for every subscriber. Malformed bytes never pass; events that do not fit their schema pass by configuration.
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
import type { Segment } from '../log/segment.ts';

export type Refusal = 'malformed' | 'not_an_object' | 'unknown_type' | 'schema';

export interface PayloadGateOptions {
  /** `sample` looks at one event in a hundred. */
  readonly validate: 'all' | 'sample' | 'off';
  /** What happens to a well-formed event that does not fit its schema or has no type in the catalogue. */
  readonly onInvalid: 'drop' | 'pass';
  /** Told once per refused or (with `pass`) reported event. */
  readonly onRefused: (subject: string, sequence: number, refusal: Refusal, reason: string) => void;
}

/** Kept in Segment.verdicts. */
const UNCHECKED = 0;
const MSGPACK = 1;
const JSON_TEXT = 2;
const REFUSED = 3;

const SAMPLE_ONE_IN = 100;
const FORM = { msgpack: 0, json: 1 } as const satisfies Record<Encoding, 0 | 1>;
const strictText = new TextDecoder('utf-8', { fatal: true });
const text = new TextEncoder();

export class PayloadGate {
  readonly #catalogue: Catalogue;
  readonly #options: PayloadGateOptions;
  readonly #validators = new Map<string, Validator>();
  #seen = 0;

  constructor(catalogue: Catalogue, options: PayloadGateOptions) {
    this.#catalogue = catalogue;
    this.#options = options;
    for (const family of catalogue.families.values()) {
      for (const type of family.types.values()) this.#validators.set(type.name, Compile(type.schema));
    }
  }

  /**
   * The payload in an encoding, safe to splice into a frame: bytes, or `as_stored` where the segment's own are (the usual
   * case, which makes no view of them). Undefined if the event is refused.
   */
  payload(segment: Segment, number: number, encoding: Encoding): Uint8Array | 'as_stored' | undefined {
    const verdict = segment.verdicts[number] || this.#judge(segment, number);
    if (verdict === REFUSED) return undefined;
    if (verdict === MSGPACK && encoding === 'msgpack') return 'as_stored';
    const kept = segment.transcoded(number, FORM[encoding]);
    if (kept) return kept;
    // Only JSON for JSON clients gets here: the gate keeps the msgpack form of JSON payloads itself.
    const packed = verdict === MSGPACK ? segment.payload(number) : segment.transcoded(number, FORM.msgpack)!;
    const json = text.encode(JSON.stringify(unpackValue(packed)));
    segment.keepTranscoded(number, FORM.json, json);
    return json;
  }

  #judge(segment: Segment, number: number): number {
    const verdict = this.#inspect(segment, number);
    segment.verdicts[number] = verdict;
    return verdict;
  }

  #inspect(segment: Segment, number: number): number {
    const { slab, offsets } = segment;
    let bytes: Uint8Array = slab;
    let start = offsets[number]!;
    let end = offsets[number + 1]!;
    const refuse = (refusal: Refusal, reason: string): typeof REFUSED => {
      this.#options.onRefused(segment.subjects[number]!, segment.sequences[number]!, refusal, reason);
      return REFUSED;
    };
    const verdict = encodingOf(slab, start, end);
    if (verdict === UNCHECKED) return refuse('not_an_object', 'neither a msgpack map nor a JSON object');
    if (verdict === JSON_TEXT) {
      const parsed = packJson(segment.payload(number));
      if (typeof parsed === 'string') return refuse('malformed', parsed);
      bytes = parsed;
      start = 0;
      end = parsed.length;
    }
    if (scanMsgpack(bytes, start, end) !== end) return refuse('malformed', 'not one well-formed value');
    const fault = this.#schemaFault(segment.subjects[number]!, bytes, start, end);
    if (fault) {
      const refused = refuse(fault.refusal, fault.reason);
      if (this.#options.onInvalid === 'drop') return refused;
    }
    if (verdict === JSON_TEXT) segment.keepTranscoded(number, FORM.msgpack, bytes);
    return verdict;
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
    const [first] = validator.Errors(value);
    return { refusal: 'schema', reason: `${first?.instancePath || '/'} ${first?.message ?? 'does not fit'}` };
  }
}

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
    if (ESCAPED_SURROGATE.test(source) && hasLoneSurrogate(source)) return 'a text is not well-formed Unicode';
    return packValue(JSON.parse(source));
  } catch (error) {
    // TextDecoder and JSON.parse throw on bad input; the reason goes to the log.
    return error instanceof Error ? error.message.slice(0, 200) : 'not JSON';
  }
};

const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

const hasLoneSurrogate = (json: string): boolean => {
  let isFound = false;
  JSON.parse(json, (key, value: unknown) => {
    isFound ||= LONE_SURROGATE.test(key) || (typeof value === 'string' && LONE_SURROGATE.test(value));
    return value;
  });
  return isFound;
};

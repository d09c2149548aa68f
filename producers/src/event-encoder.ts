// From a typed event to subject and bytes, or a refusal that says where and why. Pure: knows the catalogue, not NATS.
import {
  type CatalogueDefinition,
  compileCatalogue,
  type Encoding,
  type Family,
  filterSubject,
  MAX_DEPTH,
  packValue,
  parseSubjectToken,
} from '@sluice/schemas';
import { Compile, type Validator } from 'typebox/compile';
import { ProducerError } from './errors.ts';

export interface EncodedEvent {
  readonly stream: string;
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Is not stored: it goes to `eph.` and the subject. */
  readonly isEphemeral: boolean;
  /** When it is nobody's business any more; absent if that never comes. */
  readonly expiresAtMs?: number;
}

interface KnownType {
  readonly family: Family;
  /** The last token of the subject. */
  readonly token: string;
  readonly validator: Validator;
  readonly isEphemeral: boolean;
  /** The field that says when the event expires. */
  readonly expiryField: string | undefined;
}

export class EventEncoder {
  readonly #types = new Map<string, KnownType>();
  readonly #toBytes: (payload: unknown) => Uint8Array;

  /** Throws `invalid_option` for a catalogue that contradicts itself. */
  constructor(definition: CatalogueDefinition, encoding: Encoding) {
    const catalogue = compileCatalogue(definition);
    if (!catalogue.ok) {
      throw new ProducerError('invalid_option', { path: 'catalogue', reason: catalogue.error.join('; ') });
    }
    for (const family of catalogue.value.families.values()) {
      for (const [token, { name, schema, kind, expires }] of family.types) {
        const validator = Compile(schema);
        this.#types.set(name, {
          family,
          token,
          validator,
          isEphemeral: kind === 'ephemeral',
          expiryField: expires?.field,
        });
      }
    }
    this.#toBytes = encoding === 'msgpack' ? packValue : toJsonBytes;
  }

  /** Throws a `ProducerError`; what it returns passes every check that a gateway will make. */
  encode(type: string, keys: Readonly<Record<string, string>>, payload: unknown): EncodedEvent {
    const known = this.#types.get(type);
    if (!known) throw new ProducerError('unknown_type', { type });
    const subject = toSubject(type, known, keys);
    if (!known.validator.Check(payload)) throw schemaFault(type, known.validator, payload);
    const fault = findUnfitValue(payload, 'payload', 1);
    if (fault) throw new ProducerError('invalid_payload', { type, ...fault });
    const { isEphemeral, expiryField } = known;
    return {
      stream: known.family.stream,
      subject,
      bytes: this.#toBytes(payload),
      isEphemeral,
      ...(expiryField !== undefined && expiryOf(type, payload, expiryField)),
    };
  }
}

const text = new TextEncoder();
const toJsonBytes = (payload: unknown): Uint8Array => text.encode(JSON.stringify(payload));

const toSubject = (type: string, { family, token }: KnownType, keys: Readonly<Record<string, string>>): string => {
  for (const name of family.placeholders) {
    const parsed = parseSubjectToken(keys[name]);
    if (!parsed.ok) throw new ProducerError('invalid_key', { type, path: `keys/${name}`, reason: parsed.error });
  }
  return filterSubject(family, keys, token);
};

const schemaFault = (type: string, validator: Validator, payload: unknown): ProducerError => {
  const [first] = validator.Errors(payload);
  return new ProducerError('invalid_payload', {
    type,
    path: `payload${first?.instancePath ?? ''}`,
    reason: first?.message ?? 'does not fit its schema',
  });
};

/** An event without the field does not expire; one whose field is no time would, to the producer's surprise, not either. */
const expiryOf = (type: string, payload: unknown, field: string): Pick<EncodedEvent, 'expiresAtMs'> | undefined => {
  const time = (payload as Readonly<Record<string, unknown>>)[field];
  if (time === undefined) return undefined;
  const expiresAtMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (!Number.isNaN(expiresAtMs)) return { expiresAtMs };
  throw new ProducerError('invalid_payload', { type, path: `payload/${field}`, reason: 'is no time (ISO 8601)' });
};

interface Fault {
  readonly path: string;
  readonly reason: string;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Schemas leave objects open, so anything may hide in a field that they do not name: what has no place on the wire is
 * found here. A gateway would drop the whole event for it (msgpackr writes `undefined` as an extension).
 */
const findUnfitValue = (value: unknown, path: string, depth: number): Fault | undefined => {
  if (typeof value === 'string') {
    return LONE_SURROGATE.test(value) ? { path, reason: 'is no well-formed text' } : undefined;
  }
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, reason: 'is no finite number' };
  if (typeof value === 'boolean' || value === null) return undefined;
  if (typeof value === 'object') return findUnfitEntry(value, path, depth);
  return { path, reason: `is of type ${typeof value}` };
};

const findUnfitEntry = (value: object, path: string, depth: number): Fault | undefined => {
  if (depth > MAX_DEPTH) return { path, reason: `is nested deeper than ${MAX_DEPTH}` };
  if (Array.isArray(value)) {
    // By index: a loop over entries would skip the holes of a sparse array.
    for (let i = 0; i < value.length; i++) {
      const fault = findUnfitValue(value[i], `${path}/${i}`, depth + 1);
      if (fault) return fault;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return { path, reason: 'is no plain object' };
  // A `toJSON` would make JSON differ from msgpack; being a function, it is refused like any other.
  for (const [name, field] of Object.entries(value)) {
    if (LONE_SURROGATE.test(name)) return { path, reason: 'has a name that is no well-formed text' };
    const fault = findUnfitValue(field, `${path}/${name}`, depth + 1);
    if (fault) return fault;
  }
  return undefined;
};

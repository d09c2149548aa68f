// From a stored message to an event of the catalogue, or nothing: anybody may publish anything. Pure.
import {
  type CatalogueDefinition,
  compileCatalogue,
  type Family,
  isSubjectMatch,
  scanMsgpack,
  unpackValue,
} from '@sluice/schemas';
import { Compile, type Validator } from 'typebox/compile';
import { ProducerError } from '../errors.ts';
import type { PlannedEvent } from './decision.ts';

export interface DecodedEvent extends PlannedEvent {
  readonly subject: string;
}

interface KnownFamily {
  readonly family: Family;
  readonly validators: ReadonlyMap<string, Validator>;
}

const text = new TextDecoder();
const JSON_OBJECT = 0x7b;

export class EventDecoder {
  readonly #families = new Map<string, KnownFamily>();
  readonly families: ReadonlyMap<string, Family>;

  constructor(definition: CatalogueDefinition) {
    const catalogue = compileCatalogue(definition);
    if (!catalogue.ok) {
      throw new ProducerError('invalid_option', { path: 'catalogue', reason: catalogue.error.join('; ') });
    }
    this.families = catalogue.value.families;
    for (const family of this.families.values()) {
      const validators = new Map<string, Validator>();
      for (const [name, { schema }] of family.types) validators.set(name, Compile(schema));
      this.#families.set(family.prefix, { family, validators });
    }
  }

  /** Undefined for what is no event of the catalogue: another subject, a delete marker, a payload that does not fit. */
  decode(subject: string, data: Uint8Array): DecodedEvent | undefined {
    const tokens = subject.split('.');
    const known = this.#families.get(tokens[0]!);
    const token = tokens.at(-1)!;
    const validator = known?.validators.get(token);
    if (!known || !validator || data.length === 0) return undefined;
    const { family } = known;
    if (tokens.length !== family.placeholders.length + 2) return undefined;
    const payload = decodePayload(data);
    if (!validator.Check(payload)) return undefined;
    const keys: Record<string, string> = {};
    for (const [at, name] of family.placeholders.entries()) keys[name] = tokens[at + 1]!;
    return { type: `${family.name}.${token}`, keys, payload: payload as Record<string, unknown>, subject };
  }
}

const decodePayload = (data: Uint8Array): unknown => {
  try {
    if (data[0] === JSON_OBJECT) return JSON.parse(text.decode(data));
    // A payload that ends early or late is somebody's mistake.
    return scanMsgpack(data, 0, data.length) === data.length ? unpackValue(data) : undefined;
  } catch {
    return undefined;
  }
};

/** The subject of `order.created` with these keys; `*` where one is not given. */
export const subjectOf = (family: Family, keys: Readonly<Record<string, string>>, token: string): string =>
  [family.prefix, ...family.placeholders.map((name) => keys[name] ?? '*'), token].join('.');

/** Filters per stream for families and types by name, in the order given; none covered by another. */
export const filtersOf = (
  families: ReadonlyMap<string, Family>,
  names: readonly string[],
): ReadonlyMap<string, readonly string[]> => {
  const filters = new Map<string, string[]>();
  for (const name of names) {
    const [familyName = '', token] = name.split('.');
    const family = families.get(familyName);
    const type = token === undefined ? undefined : family?.types.get(token);
    if (!family || (token !== undefined && type?.kind !== 'state' && type?.kind !== 'moment')) {
      throw new ProducerError('unknown_type', { type: name });
    }
    const wanted = subjectOf(family, {}, token ?? '*');
    const known = filters.get(family.stream) ?? [];
    if (known.some((other) => isSubjectMatch(other, wanted))) continue;
    filters.set(family.stream, [...known.filter((other) => !isSubjectMatch(wanted, other)), wanted]);
  }
  return filters;
};

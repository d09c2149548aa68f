// Families, their types, and the streams that follow from them.
import type { TSchema } from 'typebox';
import { CALL_ROOT, COMMAND_ROOT, COMMAND_STREAM } from './command-subject.ts';
import type { CatalogueStream, EventType, Family } from './compiled.ts';
import type { EventTypeDefinition, FamilyDefinition, Guard, StreamDefinition } from './define.ts';
import { doFiltersOverlap } from './subject.ts';

const FAMILY_SUBJECT = /^[a-z][a-z0-9_-]*(\.\{[A-Za-z][A-Za-z0-9]*\})+$/;
const TYPE_NAME = /^[a-z][a-z0-9_]*$/;
/** What JetStream takes, less what would be awkward in a file name. */
const STREAM_NAME = /^[A-Za-z0-9_-]{1,255}$/;
/** JetStream keeps buckets and objects in streams of these names. */
const RESERVED_STREAM = /^(KV|OBJ)_/;

/** First tokens of subjects that are not for stored events. */
const RESERVED_PREFIXES: ReadonlyMap<string, string> = new Map([
  ['eph', 'eph.> is for ephemeral events, which no stream may store'],
  [COMMAND_ROOT, `${COMMAND_ROOT}.> is for commands`],
  [CALL_ROOT, `${CALL_ROOT}.> is for calls, which no stream may store`],
]);

export const compileFamilies = (definitions: readonly FamilyDefinition[], faults: string[]): Map<string, Family> => {
  const families = new Map<string, Family>();
  for (const { name, subject, stream, types, guard } of definitions) {
    if (families.has(name)) faults.push(`family ${name} is defined twice`);
    if (!FAMILY_SUBJECT.test(subject))
      faults.push(`family ${name}: subject "${subject}" is not prefix.{placeholder}...`);
    const [prefix = '', ...tokens] = subject.split('.');
    const reserved = RESERVED_PREFIXES.get(prefix);
    if (reserved !== undefined) faults.push(`family ${name}: ${reserved}`);
    // Types are found by prefix and last token: two families with one prefix would be told apart by nothing.
    const twin = [...families.values()].find((other) => other.prefix === prefix);
    if (twin) faults.push(`families ${twin.name} and ${name} share the subject prefix "${prefix}"`);
    const placeholders = tokens.map((token) => token.slice(1, -1));
    if (new Set(placeholders).size < placeholders.length) faults.push(`family ${name}: a placeholder stands twice`);
    if (Object.keys(types).length === 0) faults.push(`family ${name} has no types`);
    if (guard) checkGuard(name, guard, placeholders, faults);
    const compiled = new Map<string, EventType>();
    for (const [type, eventType] of Object.entries(types)) {
      if (!TYPE_NAME.test(type)) faults.push(`type ${name}.${type} is not snake_case`);
      checkType(`${name}.${type}`, eventType, faults);
      compiled.set(type, { ...eventType, name: `${name}.${type}` });
    }
    families.set(name, { name, stream: stream.name, prefix, placeholders, types: compiled });
  }
  return families;
};

const checkGuard = (name: string, guard: Guard, placeholders: readonly string[], faults: string[]): void => {
  for (const [placeholder, claims] of Object.entries(guard.placeholders)) {
    if (!placeholders.includes(placeholder))
      faults.push(`family ${name}: the guard names "${placeholder}", which is no placeholder`);
    if (claims.length === 0) faults.push(`family ${name}: the guard takes no claim for ${placeholder}`);
  }
};

const MAX_CONFLATION_MS = 60_000;

const checkType = (
  name: string,
  { kind, schema, conflate, expires, ends }: EventTypeDefinition,
  faults: string[],
): void => {
  if (kind === 'ephemeral' && conflate) faults.push(`type ${name}: ephemeral events are not conflated`);
  if (kind === 'ephemeral' && expires) faults.push(`type ${name}: ephemeral events do not expire, nobody keeps them`);
  if (kind === 'moment' && conflate) faults.push(`type ${name}: conflation would swallow moments`);
  if (conflate && !(Number.isInteger(conflate.everyMs) && conflate.everyMs > 0))
    faults.push(`type ${name}: conflate.everyMs is not a whole number above 0`);
  // What is held keeps the part of the log that it lies in from being given up.
  if (conflate && conflate.everyMs > MAX_CONFLATION_MS)
    faults.push(`type ${name}: conflate.everyMs is more than ${MAX_CONFLATION_MS}`);
  if (expires) checkText(expires.field, schema, `type ${name}: expires by`, 'is no time in ISO 8601', faults);
  if (!ends) return;
  checkText(ends.field, schema, `type ${name}: ends by`, 'is no text', faults);
  if (kind !== 'state') faults.push(`type ${name}: only a state says that something has ended`);
  if (ends.values.length === 0) faults.push(`type ${name}: ends by no value of "${ends.field}"`);
};

const checkText = (name: string, schema: TSchema, what: string, otherwise: string, faults: string[]): void => {
  const field = propertiesOf(schema)[name];
  if (field === undefined) faults.push(`${what} "${name}", which is not in its schema`);
  else if (typeof field === 'object' && field !== null && 'type' in field && field.type !== 'string')
    faults.push(`${what} "${name}", which ${otherwise}`);
};

/** Schemas of an object's own fields; of other schemas, none. */
export const propertiesOf = (schema: TSchema): Readonly<Record<string, unknown>> => {
  const properties = (schema as { readonly properties?: unknown }).properties;
  const found: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  return typeof properties === 'object' && properties !== null ? Object.assign(found, properties) : found;
};

export const compileStreams = (families: readonly FamilyDefinition[], faults: string[]): CatalogueStream[] => {
  const streams = new Map<string, StreamDefinition & { subjects: string[]; isExpiring?: true }>();
  for (const { name, stream, subject, types } of families) {
    const isExpiring = Object.values(types).some(({ kind, expires }) => expires && kind !== 'ephemeral');
    const known = streams.get(stream.name);
    const pattern = `${subject.split('.')[0]}.>`;
    if (!known) {
      if (!STREAM_NAME.test(stream.name)) faults.push(`family ${name}: no stream can be called "${stream.name}"`);
      if (RESERVED_STREAM.test(stream.name) || stream.name === COMMAND_STREAM.name)
        faults.push(`family ${name}: the stream name ${stream.name} is reserved`);
      if (!(stream.maxAgeMs > 0)) faults.push(`family ${name}: stream ${stream.name} would keep events for no time`);
      if (stream.maxBytes !== undefined && !(stream.maxBytes > 0))
        faults.push(`family ${name}: stream ${stream.name} would have room for nothing`);
      streams.set(stream.name, { ...stream, subjects: [pattern], ...(isExpiring && { isExpiring }) });
    } else {
      if (isExpiring) known.isExpiring = true;
      if (known.maxAgeMs !== stream.maxAgeMs || known.maxBytes !== stream.maxBytes)
        faults.push(`family ${name}: stream ${stream.name} is defined in two ways`);
      if (known.subjects.some((other) => doFiltersOverlap(other, pattern))) continue;
      known.subjects.push(pattern);
    }
  }
  return [...streams.values()];
};

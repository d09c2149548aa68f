// Checks a catalogue and derives what programs look up at run time. All faults at once.
import type { TSchema } from 'typebox';
import { fail, ok, type Result } from '../result.ts';
import type {
  Alias,
  Binding,
  CallDefinition,
  CatalogueDefinition,
  ChannelDefinition,
  CommandDefinition,
  Conflation,
  EventKind,
  Expiry,
  FamilyDefinition,
  FilterDefinition,
  StreamDefinition,
} from './define.ts';
import { compilePresence, type PresenceTransitions } from './presence.ts';
import { doFiltersOverlap } from './subject.ts';

export interface EventType {
  /** Full name: `order.status_changed`. */
  readonly name: string;
  readonly kind: EventKind;
  readonly schema: TSchema;
  readonly aliases: readonly Alias[];
  readonly conflate?: Conflation;
  readonly expires?: Expiry;
}

export interface Family {
  readonly name: string;
  readonly stream: string;
  /** First token of every subject of the family. */
  readonly prefix: string;
  /** Placeholder names, in the order of the subject's tokens after the prefix. */
  readonly placeholders: readonly string[];
  readonly types: ReadonlyMap<string, EventType>;
}

export interface Channel {
  readonly definition: ChannelDefinition;
  /** The part before the first colon. */
  readonly prefix: string;
  readonly params: readonly string[];
}

export interface CatalogueStream extends StreamDefinition {
  readonly subjects: readonly string[];
}

export interface Catalogue {
  readonly families: ReadonlyMap<string, Family>;
  /** By the channel's prefix. */
  readonly channels: ReadonlyMap<string, Channel>;
  readonly streams: readonly CatalogueStream[];
  readonly commands: ReadonlyMap<string, CommandDefinition>;
  readonly calls: ReadonlyMap<string, CallDefinition>;
  readonly actorClaims: readonly string[];
  readonly presence?: PresenceTransitions;
  readonly role: CatalogueDefinition['role'];
}

const FAMILY_SUBJECT = /^[a-z][a-z0-9_-]*(\.\{[A-Za-z][A-Za-z0-9]*\})+$/;
const CHANNEL_NAME = /^[a-z][a-z0-9_-]*(:\{[A-Za-z][A-Za-z0-9]*\})*$/;
const TYPE_NAME = /^[a-z][a-z0-9_]*$/;
/** What JetStream takes, less what would be awkward in a file name. */
const STREAM_NAME = /^[A-Za-z0-9_-]{1,255}$/;

/** The compiled catalogue, or every fault in it as a line of text. */
export const compileCatalogue = (definition: CatalogueDefinition): Result<Catalogue, readonly string[]> => {
  const faults: string[] = [];
  const families = compileFamilies(definition.families, faults);
  const channels = compileChannels(definition.channels, families, faults);
  const streams = compileStreams(definition.families, faults);
  const commands = new Map((definition.commands ?? []).map((command) => [command.name, command]));
  const calls = new Map((definition.calls ?? []).map((call) => [call.name, call]));
  const presence = compilePresence(definition.presence, families, faults);
  const { role, actorClaims = [] } = definition;
  if (faults.length > 0) return fail(faults);
  return ok({ families, channels, streams, commands, calls, actorClaims, ...(presence && { presence }), role });
};

/** Throws with all faults in the message: for catalogues that are part of a program. */
export const mustCompileCatalogue = (definition: CatalogueDefinition): Catalogue => {
  const compiled = compileCatalogue(definition);
  if (!compiled.ok) throw new Error(`The catalogue contradicts itself:\n- ${compiled.error.join('\n- ')}`);
  return compiled.value;
};

const compileFamilies = (definitions: readonly FamilyDefinition[], faults: string[]): Map<string, Family> => {
  const families = new Map<string, Family>();
  const owners = new Map<string, string>();
  for (const { name, subject, stream, types } of definitions) {
    if (families.has(name)) faults.push(`family ${name} is defined twice`);
    if (!FAMILY_SUBJECT.test(subject))
      faults.push(`family ${name}: subject "${subject}" is not prefix.{placeholder}...`);
    const [prefix = '', ...tokens] = subject.split('.');
    if (prefix === 'eph') faults.push(`family ${name}: eph.> is for ephemeral events, which no stream may store`);
    // Types are found by prefix and last token: two families with one prefix would be told apart by nothing.
    const twin = [...families.values()].find((other) => other.prefix === prefix);
    if (twin) faults.push(`families ${twin.name} and ${name} share the subject prefix "${prefix}"`);
    const placeholders = tokens.map((token) => token.slice(1, -1));
    if (new Set(placeholders).size < placeholders.length) faults.push(`family ${name}: a placeholder stands twice`);
    if (Object.keys(types).length === 0) faults.push(`family ${name} has no types`);
    const compiled = new Map<string, EventType>();
    for (const [type, eventType] of Object.entries(types)) {
      if (!TYPE_NAME.test(type)) faults.push(`type ${name}.${type} is not snake_case`);
      for (const { name: alias } of eventType.aliases) {
        const owner = owners.get(alias);
        if (owner) faults.push(`alias ${alias} belongs to ${owner} and ${name}.${type}`);
        owners.set(alias, `${name}.${type}`);
      }
      compiled.set(type, { ...eventType, name: `${name}.${type}` });
    }
    families.set(name, { name, stream: stream.name, prefix, placeholders, types: compiled });
  }
  return families;
};

const compileChannels = (
  definitions: readonly ChannelDefinition[],
  families: ReadonlyMap<string, Family>,
  faults: string[],
): Map<string, Channel> => {
  const channels = new Map<string, Channel>();
  for (const definition of definitions) {
    const { name } = definition;
    if (!CHANNEL_NAME.test(name)) faults.push(`channel "${name}" is not name[:{parameter}]...`);
    const [prefix = '', ...parts] = name.split(':');
    if (channels.has(prefix)) faults.push(`channel ${prefix} is defined twice`);
    const params = parts.map((part) => part.slice(1, -1));
    if (new Set(params).size < params.length) faults.push(`channel ${name}: a parameter stands twice`);
    for (const [owned, binding] of Object.entries(definition.owner ?? {})) {
      if (!params.includes(owned)) faults.push(`channel ${name}: owner names "${owned}", which is no parameter`);
      if (binding.kind === 'param' && !params.includes(binding.name))
        faults.push(`channel ${name}: no parameter ${binding.name}`);
    }
    if (definition.access.length === 0) faults.push(`channel ${name}: nobody may subscribe`);
    for (const { filters } of definition.access) {
      if (filters.length === 0) faults.push(`channel ${name}: a role without filters`);
      for (const one of filters) checkFilter(name, params, one, families, faults);
    }
    channels.set(prefix, { definition, prefix, params });
  }
  return channels;
};

const checkFilter = (
  channel: string,
  params: readonly string[],
  { family: familyName, bindings, types }: FilterDefinition,
  families: ReadonlyMap<string, Family>,
  faults: string[],
): void => {
  const family = families.get(familyName);
  if (!family) {
    faults.push(`channel ${channel}: family ${familyName} is not in the catalogue`);
    return;
  }
  for (const [placeholder, binding] of Object.entries<Binding>(bindings)) {
    if (!family.placeholders.includes(placeholder))
      faults.push(`channel ${channel}: ${familyName} has no placeholder ${placeholder}`);
    if (binding.kind === 'param' && !params.includes(binding.name))
      faults.push(`channel ${channel}: no parameter ${binding.name}`);
  }
  if (types?.length === 0) faults.push(`channel ${channel}: a filter of no type of ${familyName} matches nothing`);
  for (const type of types ?? []) {
    if (!family.types.has(type))
      faults.push(`channel ${channel}: ${familyName} has no type ${type}, the filter matches nothing`);
  }
};

const compileStreams = (families: readonly FamilyDefinition[], faults: string[]): CatalogueStream[] => {
  const streams = new Map<string, StreamDefinition & { subjects: string[] }>();
  for (const { name, stream, subject } of families) {
    const known = streams.get(stream.name);
    const pattern = `${subject.split('.')[0]}.>`;
    if (!known) {
      if (!STREAM_NAME.test(stream.name)) faults.push(`family ${name}: no stream can be called "${stream.name}"`);
      streams.set(stream.name, { ...stream, subjects: [pattern] });
    } else {
      if (known.maxAgeMs !== stream.maxAgeMs || known.maxBytes !== stream.maxBytes)
        faults.push(`family ${name}: stream ${stream.name} is defined in two ways`);
      if (known.subjects.some((other) => doFiltersOverlap(other, pattern))) continue;
      known.subjects.push(pattern);
    }
  }
  return [...streams.values()];
};

/** The event type of a stored subject; undefined for subjects that the catalogue does not know. */
export const typeOfSubject = (families: ReadonlyMap<string, Family>, subject: string): EventType | undefined => {
  const firstDot = subject.indexOf('.');
  const lastDot = subject.lastIndexOf('.');
  for (const family of families.values()) {
    if (family.prefix.length === firstDot && subject.startsWith(family.prefix))
      return family.types.get(subject.slice(lastDot + 1));
  }
  return undefined;
};

/** The same filters narrowed to types that are states: their last token is a literal. Sorted, each once. */
export const stateFiltersOf = (
  families: ReadonlyMap<string, Family>,
  filters: readonly string[],
): readonly string[] => {
  const narrowed = new Set<string>();
  for (const filter of filters) {
    const prefix = filter.slice(0, filter.indexOf('.'));
    const head = filter.slice(0, filter.lastIndexOf('.'));
    const wanted = filter.slice(head.length + 1);
    const family = [...families.values()].find((each) => each.prefix === prefix);
    for (const [type, { kind }] of family?.types ?? []) {
      if (kind === 'state' && (wanted === '*' || wanted === type)) narrowed.add(`${head}.${type}`);
    }
  }
  return [...narrowed].sort();
};

/** Subject of one filter: `order.*.u-1.*.status_changed`. Values must be safe tokens already. */
export const filterSubject = (family: Family, values: Readonly<Record<string, string>>, type: string = '*'): string => {
  const tokens = family.placeholders.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined) ?? '*');
  return `${family.prefix}.${tokens.join('.')}.${type}`;
};

// Who may see what: a channel's name and a verified principal -> the exact filters of the log. Pure. Permission by
// construction: filters are filled from claims, so that a client cannot name what it may not see (I9).
import { hash } from 'node:crypto';
import {
  fail,
  filterSubject,
  ok,
  parseSubjectToken,
  type Binding,
  type Catalogue,
  type Channel,
  type ErrorCode,
  type Family,
  type FilterDefinition,
  type FirstEvents,
  type Result,
} from '@sluice/schemas';

/** A verified caller. Claims are those that the catalogue names, spelled as subjects spell them. */
export interface Principal {
  readonly subject: string;
  readonly role: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Absent for tokens that do not expire. */
  readonly expiresAtMs?: number;
}

export interface ResolvedStream {
  readonly stream: string;
  readonly filters: readonly string[];
  /** The same, narrowed to types that are states: their last token is a literal. */
  readonly stateFilters: readonly string[];
}

export interface ResolvedChannel {
  /** Canonical name. */
  readonly channel: string;
  /**
   * Identity of the resolved channel: equal only if name and filters are. Whoever shares anything between subscribers
   * shares by this; 192 bits, so that nobody can construct a channel of theirs with another's id.
   */
  readonly id: string;
  /** First 8 characters of `id`, for positions. Too short to share by: 48 bits can be searched. */
  readonly key: string;
  /** Sorted by name, filters sorted too. */
  readonly streams: readonly ResolvedStream[];
  readonly first: FirstEvents;
}

/** The wire's limit on channel names; longer ones never reach a catalogue. */
const MAX_NAME_CHARS = 512;
/** Value combinations of one filter. A list claim beyond it is refused: cutting it short would hide events in silence. */
export const MAX_COMBINATIONS = 64;
const PREFIX = /^[a-z][a-z0-9_-]*$/;
const ID_CHARS = 32;
const KEY_CHARS = 8;

type Values = Readonly<Record<string, readonly string[]>>;

/**
 * What the principal gets under this name. Never throws. `invalid_channel`: the name breaks the grammar;
 * `unknown_channel`: nobody could have it; `forbidden`: this principal cannot.
 */
export const resolveChannel = (
  catalogue: Catalogue,
  principal: Principal,
  name: string,
): Result<ResolvedChannel, ErrorCode> => {
  if (typeof name !== 'string' || name.length > MAX_NAME_CHARS) return fail('invalid_channel');
  const [prefix = '', ...parameters] = name.split(':');
  if (!PREFIX.test(prefix) || !parameters.every((value) => parseSubjectToken(value).ok)) return fail('invalid_channel');
  const channel = catalogue.channels.get(prefix);
  if (!channel) return fail('unknown_channel');
  if (parameters.length !== channel.params.length) return fail('invalid_channel');
  const lookup = (binding: Binding): readonly string[] | undefined =>
    binding.kind === 'claim'
      ? claimValues(principal, binding.name)
      : parameters.slice(channel.params.indexOf(binding.name)).slice(0, 1);

  for (const [parameter, binding] of Object.entries(channel.definition.owner ?? {})) {
    const value = parameters[channel.params.indexOf(parameter)];
    if (value === undefined || !lookup(binding)?.includes(value)) return fail('forbidden');
  }
  const streams = resolveStreams(catalogue, channel, principal.role, lookup);
  if (!streams) return fail('forbidden');
  const id = hash(
    'sha256',
    JSON.stringify([name, streams.map(({ stream, filters }) => [stream, filters])]),
    'base64url',
  );
  return ok({
    channel: name,
    id: id.slice(0, ID_CHARS),
    key: id.slice(0, KEY_CHARS),
    streams,
    first: channel.definition.first,
  });
};

/** Names of the claims that a catalogue reads: the only ones that a principal has to keep. */
export const claimsOf = (catalogue: Pick<Catalogue, 'channels'>): ReadonlySet<string> => {
  const names = new Set<string>();
  for (const { definition } of catalogue.channels.values()) {
    const filters = definition.access.flatMap((entry) => entry.filters);
    const bindings = [definition.owner ?? {}, ...filters.map((filter) => filter.bindings)].flatMap((each) =>
      Object.values(each),
    );
    for (const binding of bindings) if (binding.kind === 'claim') names.add(binding.name);
  }
  return names;
};

/** Safe values of a claim. Undefined if it is missing or if *any* value of it is unsafe: such a token grants nothing. */
const claimValues = (principal: Principal, name: string): readonly string[] | undefined => {
  const claim = name === 'sub' ? principal.subject : ownValue(principal.claims, name);
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  const safe: string[] = [];
  for (const value of values) {
    const token = parseSubjectToken(value);
    if (!token.ok) return undefined;
    safe.push(token.value);
  }
  return safe;
};

// A claim called `constructor` or `__proto__` is one that the token has, not one that every object has.
const ownValue = (claims: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

const resolveStreams = (
  catalogue: Catalogue,
  channel: Channel,
  role: string,
  lookup: (binding: Binding) => readonly string[] | undefined,
): readonly ResolvedStream[] | undefined => {
  const access = channel.definition.access.find(({ roles }) => roles === 'any' || roles.includes(role));
  const streams = new Map<string, { filters: Set<string>; stateFilters: Set<string> }>();
  for (const definition of access?.filters ?? []) {
    const family = catalogue.families.get(definition.family);
    const values = family && boundValues(definition, lookup);
    if (!values) return undefined;
    const into = streams.get(family.stream) ?? { filters: new Set(), stateFilters: new Set() };
    streams.set(family.stream, into);
    let count = 0;
    for (const combination of combine(values, family)) {
      if (++count > MAX_COMBINATIONS) return undefined;
      for (const type of definition.types ?? ['*']) into.filters.add(filterSubject(family, combination, type));
      for (const type of stateTypes(family, definition)) {
        into.stateFilters.add(filterSubject(family, combination, type));
      }
    }
  }
  // An empty list claim combines to nothing, which is no grant.
  const resolved = [...streams].filter(([, { filters }]) => filters.size > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  if (resolved.length === 0) return undefined;
  return resolved.map(([stream, { filters, stateFilters }]) => ({
    stream,
    filters: [...filters].sort(),
    stateFilters: [...stateFilters].sort(),
  }));
};

const boundValues = (
  definition: FilterDefinition,
  lookup: (binding: Binding) => readonly string[] | undefined,
): Values | undefined => {
  // No prototype: a placeholder without a binding must read as absent, whatever its name.
  const values = Object.create(null) as Record<string, readonly string[]>;
  for (const [placeholder, binding] of Object.entries(definition.bindings)) {
    const found = lookup(binding);
    // Absent or empty must never read as "any": filterSubject writes a wildcard for a placeholder without a value.
    if (!found || found.length === 0) return undefined;
    values[placeholder] = found;
  }
  return values;
};

/** One value per bound placeholder, in every combination. Lazy, so that the caller's limit bounds the work too. */
function* combine(values: Values, family: Family): Generator<Readonly<Record<string, string>>> {
  const bound = family.placeholders.filter((placeholder) => values[placeholder] !== undefined);
  const walk = function* (
    index: number,
    chosen: Readonly<Record<string, string>>,
  ): Generator<Readonly<Record<string, string>>> {
    const placeholder = bound[index];
    if (placeholder === undefined) {
      yield chosen;
      return;
    }
    for (const value of new Set(values[placeholder])) {
      yield* walk(index + 1, Object.assign(Object.create(null), chosen, { [placeholder]: value }));
    }
  };
  yield* walk(0, Object.create(null) as Record<string, string>);
}

const stateTypes = (family: Family, { types }: FilterDefinition): readonly string[] =>
  [...family.types]
    .filter(([type, { kind }]) => kind === 'state' && (types?.includes(type) ?? true))
    .map(([type]) => type);

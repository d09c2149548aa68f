// Who may see what: a channel's name and a verified principal -> the exact filters of the log. Pure. Permission by
// construction: filters are filled from claims, so that a client cannot name what it may not see (I9).
import { hash } from 'node:crypto';
import {
  fail,
  ok,
  parseSubjectToken,
  type Binding,
  type Catalogue,
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

interface ResolvedStream {
  readonly stream: string;
  readonly filters: readonly string[];
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
const ANY = ['*'] as const;

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

  const { definition, params } = channel;
  const valuesOf = (binding: Binding): readonly string[] | undefined => {
    if (binding.kind === 'claim') return claimValues(principal, binding.name);
    const value = parameters[params.indexOf(binding.name)];
    return value === undefined ? undefined : [value];
  };
  for (const [parameter, binding] of Object.entries(definition.owner ?? {})) {
    const value = parameters[params.indexOf(parameter)];
    if (value === undefined || !valuesOf(binding)?.includes(value)) return fail('forbidden');
  }
  const access = definition.access.find(({ roles }) => roles === 'any' || roles.includes(principal.role));
  const streams = access && resolveStreams(catalogue, access.filters, valuesOf);
  if (!streams || streams.length === 0) return fail('forbidden');

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
    first: definition.first,
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
    if (!safe.includes(token.value)) safe.push(token.value);
  }
  return safe;
};

// A claim called `constructor` or `__proto__` is one that the token has, not one that every object has.
const ownValue = (claims: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

/** Filters per stream; undefined if one of them cannot be filled: a filter must never go missing in silence. */
const resolveStreams = (
  catalogue: Catalogue,
  definitions: readonly FilterDefinition[],
  valuesOf: (binding: Binding) => readonly string[] | undefined,
): readonly ResolvedStream[] | undefined => {
  const byStream = new Map<string, string[]>();
  for (const definition of definitions) {
    const family = catalogue.families.get(definition.family);
    const heads = family && subjectHeads(family, definition, valuesOf);
    if (!heads) return undefined;
    if (heads.length === 0) continue;
    let filters = byStream.get(family.stream);
    if (!filters) byStream.set(family.stream, (filters = []));
    for (const head of heads) {
      // Joined, not added up: V8 keeps the pieces of a sum for as long as the sum.
      for (const type of definition.types ?? ['*']) filters.push([head, type].join('.'));
    }
  }
  // Sorted, so that every pod, and the next version of a catalogue in another order, finds the same id.
  return [...byStream.keys()].sort().map((stream) => ({ stream, filters: distinct(byStream.get(stream)!) }));
};

const distinct = (filters: string[]): readonly string[] => {
  if (filters.length < 2) return filters;
  filters.sort();
  return filters.filter((each, at) => each !== filters[at - 1]);
};

/**
 * Subjects up to the type, one per combination of values. Undefined if a value is missing or unsafe, or there are too
 * many combinations. Placeholders that the catalogue leaves unbound, and only they, become wildcards.
 */
const subjectHeads = (
  family: Family,
  { bindings }: FilterDefinition,
  valuesOf: (binding: Binding) => readonly string[] | undefined,
): readonly string[] | undefined => {
  let heads = [family.prefix];
  for (const placeholder of family.placeholders) {
    const binding = Object.hasOwn(bindings, placeholder) ? bindings[placeholder] : undefined;
    const values = binding === undefined ? ANY : valuesOf(binding);
    if (!values || values.length * heads.length > MAX_COMBINATIONS) return undefined;
    const longer: string[] = [];
    for (const head of heads) for (const value of values) longer.push(`${head}.${value}`);
    heads = longer;
  }
  return heads;
};

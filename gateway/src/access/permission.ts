// Who may see what: a channel's name and a verified principal -> the exact filters of the log. Pure. Permission by
// construction: filters are filled from claims, so that a client cannot name what it may not see (I9).
import { hash } from 'node:crypto';
import {
  fail,
  ok,
  parseSubjectToken,
  type Binding,
  type Catalogue,
  type Channel,
  type EphemeralField,
  type ErrorCode,
  type Family,
  type FilterDefinition,
  type FirstEvents,
  type Result,
} from '@sluice/schemas';

/** A verified caller. Claims are those that the catalogue names; what enters subjects is spelled as they spell it. */
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
  /** Filters of ephemeral events: core subjects below `eph.`, sorted. */
  readonly ephemeral: readonly string[];
  /** The grant that it takes, as tokens of a subject: `chat.c-1.u-1`. */
  readonly grant?: string;
  readonly first: FirstEvents;
  /** First states leave out what has ended. */
  readonly omitsEnded: boolean;
}

/** The wire's limit on channel names; longer ones never reach a catalogue. */
const MAX_NAME_CHARS = 512;
/** Value combinations of one filter. A list claim beyond it is refused: cutting it short would hide events in silence. */
export const MAX_COMBINATIONS = 64;
const PREFIX = /^[a-z][a-z0-9_-]*$/;
const ID_CHARS = 32;
const KEY_CHARS = 8;
const ANY = ['*'] as const;
const EPHEMERAL_PREFIX = 'eph';

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
  if (parameters.length > 0) {
    // A claim may have colons of its own (`us-east-1:4f…`): the name of what its plain prefix stands for is that channel's.
    const isOwn = (own: readonly string[]): boolean => own.join(':') === parameters.join(':');
    const isAsNamed = parameters.length === channel.params.length;
    const own = isAsNamed ? undefined : plainParameters(channel, principal)?.find(isOwn);
    return resolveParameters(catalogue, principal, channel, own ?? parameters);
  }
  const plain = plainParameters(channel, principal);
  if (plain === undefined) return fail(channel.definition.plain ? 'forbidden' : 'invalid_channel');
  // Of several values none is meant more than another.
  if (plain.length !== 1) return fail('invalid_channel');
  return resolveParameters(catalogue, principal, channel, plain[0]!);
};

/** Channels that a principal is joined to by itself, by their canonical names; those it has no claims for are left out. */
export const joinedChannels = (catalogue: Catalogue, principal: Principal): readonly string[] => {
  const names: string[] = [];
  for (const channel of catalogue.channels.values()) {
    const { joined } = channel.definition;
    if (joined === undefined || (joined !== 'any' && !joined.includes(principal.role))) continue;
    for (const parameters of plainParameters(channel, principal) ?? [])
      names.push([channel.prefix, ...parameters].join(':'));
  }
  return names;
};

/** Each combination of parameters that the plain prefix stands for; undefined if one of them has no value. */
const plainParameters = (
  { definition, params }: Channel,
  principal: Principal,
): readonly (readonly string[])[] | undefined => {
  let combinations: readonly (readonly string[])[] = [[]];
  for (const name of params) {
    const binding = definition.plain?.[name];
    const values = binding && binding.kind !== 'param' ? boundValues(principal, binding) : undefined;
    if (!values || values.length * combinations.length > MAX_COMBINATIONS) return undefined;
    combinations = combinations.flatMap((each) => values.map((value) => [...each, value]));
  }
  return combinations;
};

const resolveParameters = (
  catalogue: Catalogue,
  principal: Principal,
  { definition, params, prefix }: Channel,
  parameters: readonly string[],
): Result<ResolvedChannel, ErrorCode> => {
  if (parameters.length !== params.length) return fail('invalid_channel');
  const valuesOf = (binding: Binding): readonly string[] | undefined => {
    if (binding.kind !== 'param') return boundValues(principal, binding);
    const value = parameters[params.indexOf(binding.name)];
    return value === undefined ? undefined : [value];
  };
  const doesHold = (where: Readonly<Record<string, Binding>>): boolean =>
    Object.entries(where).every(([parameter, binding]) => {
      const value = parameters[params.indexOf(parameter)];
      return value !== undefined && valuesOf(binding)?.includes(value) === true;
    });
  if (!doesHold(definition.owner ?? {})) return fail('forbidden');
  const access = definition.access.find(
    ({ roles, where }) => (roles === 'any' || roles.includes(principal.role)) && doesHold(where ?? {}),
  );
  const subjects = access && resolveSubjects(catalogue, access.filters, valuesOf);
  if (!subjects || subjects.streams.length === 0) return fail('forbidden');

  const { streams, ephemeral } = subjects;
  const name = [prefix, ...parameters].join(':');
  const identity: unknown[] = [name, streams.map(({ stream, filters }) => [stream, filters])];
  if (ephemeral.length > 0) identity.push(ephemeral);
  const id = hash('sha256', JSON.stringify(identity), 'base64url');
  return ok({
    channel: name,
    id: id.slice(0, ID_CHARS),
    key: id.slice(0, KEY_CHARS),
    streams,
    ephemeral,
    ...(access.isGranted && { grant: [prefix, ...parameters, principal.subject].join('.') }),
    first: definition.first,
    omitsEnded: definition.omitsEnded === true,
  });
};

/** Whether any channel takes a grant. */
export const takesGrants = ({ channels }: Pick<Catalogue, 'channels'>): boolean =>
  [...channels.values()].some(({ definition }) => definition.access.some(({ isGranted }) => isGranted));

/**
 * Names of the claims that a catalogue reads: the only ones that a principal has to keep. Those `inSubjects` are spelled as
 * subjects spell them, the others stay as people read them.
 */
export const claimsOf = ({
  channels,
  commands,
  actorClaims,
}: Pick<Catalogue, 'channels' | 'commands' | 'actorClaims'>): ClaimNames => {
  const inSubjects = new Set<string>();
  for (const { definition } of channels.values()) {
    const { owner = {}, plain = {}, access } = definition;
    const bindings = access.flatMap((entry) => [entry.where ?? {}, ...entry.filters.map((filter) => filter.bindings)]);
    for (const binding of [owner, plain, ...bindings].flatMap((each) => Object.values(each))) {
      if (binding.kind === 'claim') inSubjects.add(binding.name);
      else if (binding.kind === 'text' && binding.claim !== undefined) inSubjects.add(binding.claim);
    }
  }
  const all = new Set<string>(actorClaims);
  for (const { effect } of commands.values()) {
    for (const name of claimsIn(effect?.keys)) inSubjects.add(name);
    for (const name of claimsIn(effect?.data)) all.add(name);
  }
  return { all: new Set([...all, ...inSubjects]), inSubjects };
};

export interface ClaimNames {
  readonly all: ReadonlySet<string>;
  readonly inSubjects: ReadonlySet<string>;
}

const claimsIn = (fields: Readonly<Record<string, EphemeralField>> = {}): readonly string[] =>
  Object.values(fields).flatMap((value) => (typeof value === 'object' && 'claim' in value ? [value.claim] : []));

/** Safe values of a claim or a text. Undefined if one is missing or *any* of them is unsafe: such a token grants nothing. */
const boundValues = (
  principal: Principal,
  binding: Exclude<Binding, { readonly kind: 'param' }>,
): readonly string[] | undefined => {
  if (binding.kind === 'claim') return claimValues(principal, binding.name);
  if (binding.claim === undefined) return [binding.text];
  const values = claimValues(principal, binding.claim)?.map((value) => `${binding.text}${value}`);
  return values?.every((value) => parseSubjectToken(value).ok) ? values : undefined;
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

interface ResolvedSubjects {
  readonly streams: readonly ResolvedStream[];
  readonly ephemeral: readonly string[];
}

/** Filters per stream; undefined if one of them cannot be filled: a filter must never go missing in silence. */
const resolveSubjects = (
  catalogue: Catalogue,
  definitions: readonly FilterDefinition[],
  valuesOf: (binding: Binding) => readonly string[] | undefined,
): ResolvedSubjects | undefined => {
  const byStream = new Map<string, string[]>();
  const ephemeral: string[] = [];
  for (const definition of definitions) {
    const family = catalogue.families.get(definition.family);
    const heads = family && subjectHeads(family, definition, valuesOf);
    if (!heads) return undefined;
    if (heads.length === 0) continue;
    const { stored, passing } = typesOf(family, definition);
    let filters = byStream.get(family.stream);
    if (!filters && stored.length > 0) byStream.set(family.stream, (filters = []));
    for (const head of heads) {
      // Joined, not added up: V8 keeps the pieces of a sum for as long as the sum.
      for (const type of stored) filters!.push([head, type].join('.'));
      for (const type of passing) ephemeral.push([EPHEMERAL_PREFIX, head, type].join('.'));
    }
  }
  // Sorted, so that every pod, and the next version of a catalogue in another order, finds the same id.
  const streams = [...byStream.keys()].sort().map((stream) => ({ stream, filters: distinct(byStream.get(stream)!) }));
  return { streams, ephemeral: distinct(ephemeral) };
};

/** Last tokens of the filters for what streams hold, and for what passes by. */
const typesOf = (
  { types }: Family,
  { types: wanted }: FilterDefinition,
): { readonly stored: readonly string[]; readonly passing: readonly string[] } => {
  const isPassing = (type: string): boolean => types.get(type)?.kind === 'ephemeral';
  if (wanted) return { stored: wanted.filter((type) => !isPassing(type)), passing: wanted.filter(isPassing) };
  return { stored: ANY, passing: [...types.keys()].filter(isPassing) };
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

// Channels: names, who gets in by which entry, and filters that match something and show nobody another's events.
import type { Channel, EventType, Family } from './compiled.ts';
import type { Binding, ChannelAccess, ChannelDefinition, FilterDefinition, Guard } from './define.ts';
import { parseSubjectToken } from './subject.ts';

const CHANNEL_NAME = /^[a-z][a-z0-9_-]*(:\{[A-Za-z][A-Za-z0-9]*\})*$/;

type Bindings = Readonly<Record<string, Binding>>;

/** What the checks of one channel share. */
interface Context {
  readonly name: string;
  readonly params: readonly string[];
  readonly families: ReadonlyMap<string, Family>;
  readonly guards: ReadonlyMap<string, Guard>;
  readonly faults: string[];
}

export const compileChannels = (
  definitions: readonly ChannelDefinition[],
  families: ReadonlyMap<string, Family>,
  guards: ReadonlyMap<string, Guard>,
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
    checkChannel({ name, params, families, guards, faults }, definition);
    channels.set(prefix, { definition, prefix, params });
  }
  return channels;
};

const checkChannel = (context: Context, definition: ChannelDefinition): void => {
  const { name, faults } = context;
  const { access, owner = {}, first, omitsEnded } = definition;
  checkParameters(context, 'owner', owner);
  checkPlain(context, definition);
  if (access.length === 0) faults.push(`channel ${name}: nobody may subscribe`);
  for (const [at, entry] of access.entries()) {
    if (entry.roles !== 'any' && entry.roles.length === 0) faults.push(`channel ${name}: an entry for no role`);
    checkParameters(context, 'where', entry.where ?? {});
    if (access.slice(0, at).some((earlier) => isCovered(entry, earlier)))
      faults.push(`channel ${name}: entry ${at + 1} is never reached, an earlier one fits whoever it is for`);
    checkFilters(context, owner, entry);
  }
  const types = access.flatMap(({ filters }) => filters.flatMap((one) => typesOf(context, one)));
  const kinds = types.map(({ kind }) => kind);
  // Without any types there are other faults, which say more.
  if (first === 'states' && kinds.some((kind) => kind !== 'ephemeral') && !kinds.includes('state'))
    faults.push(`channel ${name}: begins with states, but carries none`);
  if (omitsEnded && types.length > 0 && !types.some(({ ends }) => ends))
    faults.push(`channel ${name}: leaves out what has ended, which no type that it carries says`);
};

/** Does whoever `entry` is for get `earlier` already? */
const isCovered = (entry: ChannelAccess, earlier: ChannelAccess): boolean => {
  if (Object.keys(earlier.where ?? {}).length > 0) return false;
  if (earlier.roles === 'any') return true;
  return entry.roles !== 'any' && entry.roles.length > 0 && entry.roles.every((role) => earlier.roles.includes(role));
};

/** Bindings that parameters have to equal. */
const checkParameters = ({ name, params, faults }: Context, what: string, bindings: Bindings): void => {
  for (const [parameter, binding] of Object.entries(bindings)) {
    if (!params.includes(parameter))
      faults.push(`channel ${name}: ${what} names "${parameter}", which is no parameter`);
    if (binding.kind === 'param' && !params.includes(binding.name))
      faults.push(`channel ${name}: no parameter ${binding.name}`);
    if (!canBeParameter(binding))
      faults.push(`channel ${name}: ${what} wants "${textOf(binding)}", which no ${parameter} can be`);
  }
};

const checkPlain = (context: Context, { plain, isPlainLastAsked, joined, access }: ChannelDefinition): void => {
  const { name, params, faults } = context;
  if (isPlainLastAsked && !plain)
    faults.push(`channel ${name}: has no plain name that could be the one last asked for`);
  if (plain) {
    if (params.length === 0) faults.push(`channel ${name}: is plain already`);
    else {
      checkParameters(context, 'plain', plain);
      for (const parameter of params) {
        if (!Object.hasOwn(plain, parameter)) faults.push(`channel ${name}: plain says nothing about ${parameter}`);
        else if (plain[parameter]?.kind === 'param')
          faults.push(`channel ${name}: under its plain name there is no parameter ${plain[parameter].name}`);
      }
    }
  }
  if (joined === undefined) return;
  if (params.length > 0 && !plain) faults.push(`channel ${name}: is joined by itself, but has no plain name`);
  if (joined !== 'any' && joined.length === 0) faults.push(`channel ${name}: is joined by no role`);
  const isOpen = access.some(({ roles }) => roles === 'any');
  for (const role of joined === 'any' ? [] : joined) {
    if (!isOpen && !access.some(({ roles }) => roles.includes(role)))
      faults.push(`channel ${name}: is joined by ${role}, who may not subscribe`);
  }
  if (joined === 'any' && !isOpen)
    faults.push(`channel ${name}: is joined by any role, but not every one may subscribe`);
};

const checkFilters = (context: Context, owner: Bindings, entry: ChannelAccess): void => {
  const { name, faults } = context;
  if (entry.filters.length === 0) faults.push(`channel ${name}: a role without filters`);
  const before = faults.length;
  for (const one of entry.filters) {
    checkFilter(context, one);
    checkGuarded(context, { ...owner, ...entry.where }, entry, one);
  }
  const types = entry.filters.flatMap((one) => typesOf(context, one));
  if (faults.length === before && types.length > 0 && types.every(({ kind }) => kind === 'ephemeral'))
    faults.push(`channel ${name}: carries nothing that a stream holds, so that nobody could subscribe`);
};

const checkFilter = ({ name, params, families, faults }: Context, one: FilterDefinition): void => {
  const family = families.get(one.family);
  if (!family) {
    faults.push(`channel ${name}: family ${one.family} is not in the catalogue`);
    return;
  }
  for (const [placeholder, binding] of Object.entries(one.bindings)) {
    if (!family.placeholders.includes(placeholder))
      faults.push(`channel ${name}: ${one.family} has no placeholder ${placeholder}`);
    if (binding.kind === 'param' && !params.includes(binding.name))
      faults.push(`channel ${name}: no parameter ${binding.name}`);
    if (binding.kind === 'text' && !parseSubjectToken(binding.text).ok)
      faults.push(`channel ${name}: no subject of ${one.family} has "${binding.text}" as ${placeholder}`);
  }
  if (one.types?.length === 0) faults.push(`channel ${name}: a filter of no type of ${one.family} matches nothing`);
  for (const type of one.types ?? []) {
    if (!family.types.has(type))
      faults.push(`channel ${name}: ${one.family} has no type ${type}, the filter matches nothing`);
  }
};

/** A guarded family is for those whose claim is in the subject, for exempt roles, and for who was granted this very channel. */
const checkGuarded = (
  { name, params, guards, faults }: Context,
  conditions: Bindings,
  { roles, isGranted }: ChannelAccess,
  { family, bindings }: FilterDefinition,
): void => {
  const guard = guards.get(family);
  if (!guard) return;
  if (roles !== 'any' && roles.every((role) => guard.exempt?.includes(role))) return;
  // A grant is for these parameters: a filter that names none of them shows more than was granted.
  if (isGranted && (params.length === 0 || Object.values(bindings).some(({ kind }) => kind === 'param'))) return;
  const isOwn = Object.entries(guard.placeholders).some(([placeholder, claims]) => {
    const claimed = claimOf(bindings[placeholder], conditions);
    return claimed !== undefined && claims.includes(claimed);
  });
  if (isOwn) return;
  const who = roles === 'any' ? 'any role' : roles.join(', ');
  const how = Object.entries(guard.placeholders).map(
    ([placeholder, claims]) => `${placeholder} to ${claims.join(' or ')}`,
  );
  const remedy = how.length > 0 ? `bind ${how.join(', or ')}` : 'only exempt roles may';
  faults.push(`channel ${name}: ${who} would see ${family} events of others (${remedy})`);
};

/** The verified claim that a placeholder's value comes from, be it by way of a parameter that has to equal one. */
const claimOf = (binding: Binding | undefined, conditions: Bindings): string | undefined => {
  if (binding?.kind === 'claim') return binding.name;
  if (binding?.kind === 'text') return binding.claim;
  const condition = binding && Object.hasOwn(conditions, binding.name) ? conditions[binding.name] : undefined;
  // A parameter that has to equal a parameter says nothing about who asks.
  return condition === undefined || condition.kind === 'param' ? undefined : claimOf(condition, {});
};

const typesOf = ({ families }: Context, { family, types }: FilterDefinition): readonly EventType[] =>
  [...(families.get(family)?.types ?? [])].flatMap(([type, compiled]) =>
    types === undefined || types.includes(type) ? [compiled] : [],
  );

const textOf = (binding: Binding): string => (binding.kind === 'text' ? binding.text : '');

/** A name is split at its colons, and every part is a token of a subject. */
const canBeParameter = (binding: Binding): boolean =>
  binding.kind !== 'text' || (parseSubjectToken(binding.text).ok && !binding.text.includes(':'));

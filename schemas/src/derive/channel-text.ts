// What the page and the AsyncAPI document say about channels, in the same words.
import type { Catalogue, Channel } from '../catalogue/compile.ts';
import type { Binding, ChannelAccess, ChannelDefinition, FilterDefinition } from '../catalogue/define.ts';

export const rolesText = (roles: readonly string[] | 'any'): string =>
  roles === 'any' ? 'anyone signed in' : roles.join(', ');

export const firstText = ({ first, omitsEnded }: Pick<ChannelDefinition, 'first' | 'omitsEnded'>): string => {
  if (typeof first === 'string') return omitsEnded ? `${first} of what has not ended` : first;
  return 'last' in first ? `the last ${first.last}` : `the last ${first.sinceMs / 1_000} s`;
};

const bindingText = (binding: Binding): string => {
  if (binding.kind === 'param') return `{${binding.name}}`;
  if (binding.kind === 'claim') return `own ${binding.name}`;
  return binding.claim === undefined ? `"${binding.text}"` : `"${binding.text}" and own ${binding.claim}`;
};

const bindingsText = (bindings: Readonly<Record<string, Binding>>, join: string): string =>
  Object.entries(bindings)
    .map(([name, binding]) => `${name} ${join} ${bindingText(binding)}`)
    .join(', ');

/** Who gets in by one entry, and what it takes beside the role. */
export const whoText = ({ roles, where, isGranted }: ChannelAccess): string =>
  [
    rolesText(roles),
    ...(where ? [`where ${bindingsText(where, 'is')}`] : []),
    ...(isGranted ? ['with a grant'] : []),
  ].join(', ');

export const ownerText = ({ definition }: Channel): string | undefined =>
  definition.owner && bindingsText(definition.owner, 'must be');

/** `order.created, order.status_changed (userId = own sub)`, one per filter. */
export const carriesText = ({ families }: Catalogue, { family, bindings, types }: FilterDefinition): string => {
  const isWhole = types === undefined || types.length === families.get(family)?.types.size;
  const names = isWhole ? `${family}.*` : types.map((type) => `${family}.${type}`).join(', ');
  const bound = bindingsText(bindings, '=');
  return bound === '' ? names : `${names} (${bound})`;
};

/** The plain prefix and what it stands for: `feed` is `feed:<own sub>`. */
export const plainText = ({ definition, prefix, params }: Channel): string | undefined => {
  const { plain, isPlainLastAsked } = definition;
  if (!plain || params.length === 0) return undefined;
  const channel = `\`${[prefix, ...params.map((name) => plainValue(plain[name]))].join(':')}\``;
  return `\`${prefix}\` alone is ${isPlainLastAsked ? `the one last asked for on the connection, else ${channel}` : channel}`;
};

const plainValue = (binding: Binding | undefined): string => {
  if (!binding || binding.kind === 'param') return '?';
  if (binding.kind === 'claim') return `<own ${binding.name}>`;
  return binding.claim === undefined ? binding.text : `${binding.text}<own ${binding.claim}>`;
};

export const joinedText = ({ definition }: Channel): string =>
  definition.joined === undefined ? 'nobody' : rolesText(definition.joined);

export const presenceText = ({ definition }: Channel): string =>
  definition.presence === undefined ? 'is not told' : `tells its ${definition.presence}`;

/** Full names of the types that a channel may carry to anybody. */
export const typesOfChannel = ({ families }: Catalogue, { definition }: Channel): readonly string[] => {
  const names = new Set<string>();
  for (const { filters } of definition.access) {
    for (const { family, types } of filters)
      for (const type of types ?? families.get(family)?.types.keys() ?? []) names.add(`${family}.${type}`);
  }
  return [...names];
};

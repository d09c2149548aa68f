// Names that apps already in the field use: each means one thing. Events and commands are two vocabularies, as what a
// client hears and what it says: `chat:typing` is both.
import type { Channel, Family } from './compiled.ts';
import type { CommandDefinition } from './define.ts';

/** `order.status_changed` as the two old dialects would have called it. */
export const dialectNames = (name: string): readonly string[] => {
  const [head = '', ...rest] = name.split('.');
  const tail = rest.join('_');
  return [`${head}:${tail}`, `${head}.${tail.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}`];
};

export const checkAliases = (
  families: ReadonlyMap<string, Family>,
  commands: ReadonlyMap<string, CommandDefinition>,
  faults: string[],
): void => {
  const types = [...families.values()].flatMap((family) => [...family.types.values()]);
  checkOwners(types, faults);
  checkOwners([...commands.values()], faults);
};

interface Named {
  readonly name: string;
  readonly aliases?: readonly { readonly name: string }[];
}

const checkOwners = (all: readonly Named[], faults: string[]): void => {
  const owners = new Map<string, string>();
  const claimName = (alias: string, owner: string): void => {
    const other = owners.get(alias);
    if (other !== undefined && other !== owner) faults.push(`alias ${alias} belongs to ${other} and ${owner}`);
    if (other === undefined) owners.set(alias, owner);
  };
  for (const { name } of all) owners.set(name, name);
  for (const { name, aliases = [] } of all) {
    if (new Set(aliases.map((alias) => alias.name)).size < aliases.length) faults.push(`${name} has an alias twice`);
    for (const alias of aliases) claimName(alias.name, name);
  }
  for (const { name } of all) for (const alias of dialectNames(name)) claimName(alias, name);
};

const PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9]*)\}/g;

export const checkRooms = (channels: ReadonlyMap<string, Channel>, faults: string[]): void => {
  const owners = new Map<string, string>();
  // A channel's canonical name is a room too, and nobody else's.
  for (const { definition } of channels.values()) owners.set(shapeOf(definition.name), definition.name);
  for (const { definition, params } of channels.values()) {
    const { name, rooms = [] } = definition;
    for (const room of rooms) {
      const named = [...room.matchAll(PLACEHOLDER)].map(([, parameter]) => parameter!);
      if (
        named.length !== params.length ||
        new Set(named).size < named.length ||
        !params.every((p) => named.includes(p))
      )
        faults.push(`channel ${name}: room "${room}" does not name each parameter once`);
      if (/^\{|\}\{/.test(room)) faults.push(`channel ${name}: room "${room}" leaves open where a parameter begins`);
      const owner = owners.get(shapeOf(room));
      if (owner !== undefined && owner !== name) faults.push(`room "${room}" belongs to ${owner} and ${name}`);
      owners.set(shapeOf(room), name);
    }
  }
};

/** Two rooms of one shape cannot be told apart. */
const shapeOf = (room: string): string => room.replace(PLACEHOLDER, '{}');

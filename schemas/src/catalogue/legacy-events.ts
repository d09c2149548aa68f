// Events in the vocabulary of apps already in the field: other names, sometimes other shapes. Pure; knows no transport.
import { dialectNames } from './compile-names.ts';
import type { Catalogue, EventType } from './compiled.ts';
import type { Alias, Reshape, ReshapeToMany } from './define.ts';

type Data = Readonly<Record<string, unknown>>;

export interface OldEvent {
  readonly name: string;
  readonly data: Data;
}

export interface CanonicalEvent {
  /** Full name: `order.status_changed`. */
  readonly type: string;
  readonly data: Data;
}

export interface LegacyEvents {
  /** Every old name of a type: its aliases, then what the two dialects would have called it. */
  readonly namesOf: (type: string) => readonly string[];
  /** The type that has this name, old or canonical. */
  readonly typeOf: (name: string) => string | undefined;
  /** What an app that listens for `name` gets for one event: usually one payload, sometimes several or none. */
  readonly toOld: (name: string, data: Data) => readonly Data[];
  /** What one old event says; undefined for names that nobody has. */
  readonly fromOld: (name: string, data: Data) => CanonicalEvent | undefined;
}

/** Aliases of something, and its names in the two dialects as aliases without a shape of their own. */
export const allAliases = (name: string, aliases: readonly Alias[]): readonly Alias[] => {
  const known = new Set([name, ...aliases.map((alias) => alias.name)]);
  return [
    ...aliases,
    ...dialectNames(name)
      .filter((dialect) => !known.has(dialect))
      .map((dialect) => ({ name: dialect })),
  ];
};

/** Under one alias, whatever its function returns. */
export const reshape = (by: Reshape | ReshapeToMany | undefined, data: Data): readonly Data[] => {
  const shaped = by ? by(data) : { ...data };
  return isMany(shaped) ? shaped : [shaped];
};

const isMany = (shaped: Data | readonly Data[]): shaped is readonly Data[] => Array.isArray(shaped);

export const compileLegacyEvents = ({ families }: Pick<Catalogue, 'families'>): LegacyEvents => {
  const names = new Map<string, readonly string[]>();
  const aliases = new Map<string, { readonly type: EventType; readonly alias: Alias }>();
  for (const type of [...families.values()].flatMap((family) => [...family.types.values()])) {
    const all = allAliases(type.name, type.aliases);
    names.set(
      type.name,
      all.map((alias) => alias.name),
    );
    for (const alias of [{ name: type.name }, ...all]) aliases.set(alias.name, { type, alias });
  }
  return {
    namesOf: (type) => names.get(type) ?? [],
    typeOf: (name) => aliases.get(name)?.type.name,
    toOld: (name, data) => {
      const found = aliases.get(name);
      return found ? reshape(found.alias.toOld, data) : [];
    },
    fromOld: (name, data) => {
      const found = aliases.get(name);
      return found && { type: found.type.name, data: found.alias.fromOld?.(data) ?? { ...data } };
    },
  };
};

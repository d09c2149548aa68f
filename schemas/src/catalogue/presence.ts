// Which events say that a user came or went, and the bucket in which pods keep who is here. Compiled by compile.ts.
import type { Family } from './compile.ts';
import type { PresenceDefinition } from './define.ts';

/** The two stored types, as the gateway publishes them. */
export interface PresenceTransitions {
  /** Stream of the family. */
  readonly stream: string;
  /** First token of the family's subjects: `user` of `user.{userId}.online`. */
  readonly prefix: string;
  /** Last tokens. */
  readonly online: string;
  readonly offline: string;
  /** Field of the payload that names the user; the family's one placeholder. */
  readonly key: string;
}

/** Name of the key-value bucket, unless a setting says otherwise. */
export const PRESENCE_BUCKET = 'presence';
/** After this time an entry that nobody removed is gone; pods write theirs again long before. */
export const PRESENCE_MAX_AGE_MS = 24 * 3_600_000;

export const compilePresence = (
  definition: PresenceDefinition | undefined,
  families: ReadonlyMap<string, Family>,
  faults: string[],
): PresenceTransitions | undefined => {
  if (definition === undefined) return undefined;
  const { online, offline, key } = definition;
  const [name = '', onlineType = ''] = online.split('.');
  const [other, offlineType = ''] = offline.split('.');
  const family = families.get(name);
  for (const type of [onlineType, offlineType]) {
    const kind = family?.types.get(type)?.kind;
    if (kind === undefined) faults.push(`presence: ${name}.${type} is not in the catalogue`);
    else if (kind === 'ephemeral') faults.push(`presence: ${name}.${type} is ephemeral, but transitions are stored`);
  }
  if (name !== other || onlineType === offlineType)
    faults.push(`presence: ${online} and ${offline} have to be two types of one family`);
  if (family && (family.placeholders.length !== 1 || family.placeholders[0] !== key))
    faults.push(`presence: the subject of ${name} has to name the user, as {${key}}, and nothing else`);
  return family && { stream: family.stream, prefix: family.prefix, online: onlineType, offline: offlineType, key };
};

/** Whether pods keep anything in the bucket for this catalogue. */
export const hasPresence = (of: {
  readonly presence?: PresenceTransitions;
  readonly channels: ReadonlyMap<string, { readonly definition: { readonly presence?: 'members' | 'count' } }>;
}): boolean =>
  of.presence !== undefined || [...of.channels.values()].some(({ definition }) => definition.presence !== undefined);

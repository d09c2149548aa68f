// Channels under the names of rooms. Pure. An id may carry its own prefix in one app and lack it in another: a room
// therefore stands for each channel that it may mean, the literal one first. Whoever joins it joins those it is allowed.
import type { Catalogue, Channel } from './compiled.ts';
import { parseSubjectToken } from './subject.ts';

export interface LegacyRooms {
  /** Canonical names, the literal one first; none for rooms that nobody has. */
  readonly channelsOf: (room: string) => readonly string[];
  /** Old names of a channel by its canonical name, the usual one first. */
  readonly roomsOf: (channel: string) => readonly string[];
}

interface Pattern {
  readonly channel: Channel;
  readonly shape: RegExp;
  /** Parameters in the order of the room's name. */
  readonly named: readonly string[];
  readonly literalChars: number;
}

const MAX_ROOM_CHARS = 512;
const PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9]*)\}/g;
const SEPARATORS = [':', '-', '_'] as const;

/** May stand between the colons of a channel's name. */
export const isParameter = (value: unknown): value is string =>
  typeof value === 'string' && !value.includes(':') && parseSubjectToken(value).ok;

export const compileLegacyRooms = ({ channels }: Pick<Catalogue, 'channels'>): LegacyRooms => {
  const patterns: Pattern[] = [];
  for (const channel of channels.values()) {
    for (const room of channel.definition.rooms ?? []) patterns.push(patternOf(channel, room));
  }
  // `order-item-{x}` is meant before `order-{x}`.
  patterns.sort((left, right) => right.literalChars - left.literalChars);

  const channelsOf = (room: string): readonly string[] => {
    if (typeof room !== 'string' || room.length > MAX_ROOM_CHARS) return [];
    for (const { channel, shape, named } of patterns) {
      const found = shape.exec(room);
      if (!found) continue;
      const values = channel.params.map((param) => found[named.indexOf(param) + 1] ?? '');
      const meant = meanings(channel, values).filter((each) => each.every(isParameter));
      if (meant.length > 0) return [...new Set(meant.map((each) => [channel.prefix, ...each].join(':')))];
    }
    const [prefix = '', ...values] = room.split(':');
    const channel = channels.get(prefix);
    const isCanonical = channel && values.every(isParameter) && canBeNamed(channel, values.length);
    return isCanonical ? [room] : [];
  };
  const roomsOf = (name: string): readonly string[] => {
    const [prefix = '', ...values] = name.split(':');
    const channel = channels.get(prefix);
    if (channel?.params.length !== values.length) return [];
    return (channel.definition.rooms ?? []).map((room) =>
      room.replace(PLACEHOLDER, (_, param: string) => values[channel.params.indexOf(param)] ?? ''),
    );
  };
  return { channelsOf, roomsOf };
};

/** By its full name, or by the plain one where it has one. */
export const canBeNamed = ({ params, definition }: Channel, values: number): boolean =>
  values === params.length || (values === 0 && definition.plain !== undefined);

const patternOf = (channel: Channel, room: string): Pattern => {
  const named = [...room.matchAll(PLACEHOLDER)].map(([, param]) => param!);
  const literals = room.split(PLACEHOLDER).filter((_, at) => at % 2 === 0);
  const shape = literals.map((literal) => literal.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('(.+?)');
  return { channel, shape: new RegExp(`^${shape}$`, 's'), named, literalChars: literals.join('').length };
};

const meanings = ({ prefix, params }: Channel, values: readonly string[]): readonly (readonly string[])[] => {
  const [value] = values;
  if (params.length !== 1 || value === undefined) return [values];
  // `flash_sale` and `sale` are what a sale's id may begin with.
  const word = prefix.slice(prefix.lastIndexOf('_') + 1);
  const bare = withoutPrefix(withoutPrefix(value, prefix), word);
  return [[value], [bare], [`${word}-${bare}`]];
};

const withoutPrefix = (value: string, prefix: string): string => {
  const isOwn = SEPARATORS.some((separator) => value.startsWith(prefix + separator));
  const rest = value.slice(prefix.length + 1);
  return isOwn && rest !== '' ? rest : value;
};

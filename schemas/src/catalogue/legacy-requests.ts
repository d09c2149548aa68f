// What apps already in the field say: commands under old names, subscriptions, rooms, a request for what was missed; and
// how they want to be answered. Pure and total: a peer's nonsense is undefined, never a throw.
import type { FirstEvents } from '../frames/fields.ts';
import type { Catalogue, Channel } from './compiled.ts';
import type { Alias, CommandDefinition } from './define.ts';
import { allAliases, reshape, type OldEvent } from './legacy-events.ts';
import { canBeNamed, isParameter, type LegacyRooms } from './legacy-rooms.ts';

type Data = Readonly<Record<string, unknown>>;

/** A name and its first argument. */
export interface OldRequest {
  readonly name: string;
  readonly data?: unknown;
}

export type CanonicalRequest =
  | { readonly kind: 'command'; readonly name: string; readonly data: Data }
  /** `channels`: the one that is meant is the first that is allowed; a plain name stands for itself. */
  | { readonly kind: 'subscribe' | 'unsubscribe'; readonly channels: readonly string[] }
  /** Everything since a time: ISO 8601 or milliseconds, by the server's clock, which stamped the last answer. */
  | { readonly kind: 'sync'; readonly since: string | number };

/** An acknowledgement for the request's callback, or an event. */
export type OldReply = { readonly kind: 'ack'; readonly data: Data } | ({ readonly kind: 'event' } & OldEvent);

export interface LegacyRequests {
  readonly fromOld: (request: OldRequest) => CanonicalRequest | undefined;
  /** Every way in which an old app would have said it. */
  readonly toOld: (request: CanonicalRequest) => readonly OldRequest[];
}

const SUBSCRIBING = ['subscribe', 'unsubscribe'] as const;

export const compileLegacyRequests = (
  { channels, commands }: Pick<Catalogue, 'channels' | 'commands'>,
  rooms: LegacyRooms,
): LegacyRequests => {
  const aliases = new Map<string, { readonly command: CommandDefinition; readonly alias: Alias }>();
  for (const command of commands.values()) {
    for (const alias of [{ name: command.name }, ...allAliases(command.name, command.aliases ?? [])])
      aliases.set(alias.name, { command, alias });
  }

  const fromOld = ({ name, data }: OldRequest): CanonicalRequest | undefined => {
    if (typeof name !== 'string') return undefined;
    if (name === 'room:join') return joining(own(data, 'roomId'), rooms);
    if (name === 'join') return joining(typeof data === 'string' ? data : own(data, 'room'), rooms);
    if (name === 'sync:request') {
      const since = own(data, 'lastSyncTimestamp');
      return isTime(since) ? { kind: 'sync', since } : undefined;
    }
    const found = aliases.get(name);
    if (found) {
      if (!isRecord(data)) return undefined;
      return { kind: 'command', name: found.command.name, data: found.alias.fromOld?.(data) ?? { ...data } };
    }
    const [head = '', tail = '', ...rest] = name.split(':');
    const kind = SUBSCRIBING.find((each) => each === head || each === tail);
    const channel = channels.get(kind === head ? tail : head);
    if (!kind || !channel || rest.length > 0) return undefined;
    const named = kind === tail && typeof data === 'string' ? fromBareId(channel, data) : fromFields(channel, data);
    return named === undefined ? undefined : { kind, channels: [named] };
  };

  const toOld = (request: CanonicalRequest): readonly OldRequest[] => {
    if (request.kind === 'sync') return [{ name: 'sync:request', data: { lastSyncTimestamp: request.since } }];
    if (request.kind === 'command') {
      const command = commands.get(request.name);
      return allAliases(request.name, command?.aliases ?? []).flatMap(({ name, toOld: shape }) =>
        command ? reshape(shape, request.data).map((data) => ({ name, data })) : [],
      );
    }
    return request.channels.flatMap((name) => {
      const [prefix = '', ...values] = name.split(':');
      const channel = channels.get(prefix);
      if (!channel || !canBeNamed(channel, values.length)) return [];
      return oldSubscriptions(request.kind, channel, values, rooms.roomsOf(name));
    });
  };
  return { fromOld, toOld };
};

/** What an app that sent `name` hears of how it went; undefined where it expects nothing. */
export const oldReply = (name: string, outcome: { readonly ok: boolean }): OldReply | undefined => {
  if (name === 'join')
    return outcome.ok ? undefined : { kind: 'event', name: 'error', data: { message: 'Unauthorized room access' } };
  if (name !== 'room:join' && name !== 'message:send') return undefined;
  return { kind: 'ack', data: outcome.ok ? { success: true } : { error: 'Unauthorized' } };
};

/** The answer to `sync:request`; the app sends its timestamp the next time. */
export const oldSyncResponse = (events: readonly OldEvent[], timestamp: string): OldReply => ({
  kind: 'event',
  name: 'sync:response',
  data: { events: events.map(({ name, data }) => ({ event: name, data })), timestamp },
});

/** Where the subscriptions of a `sync` request begin. A time in the future, which only a wrong clock has, is now. */
export const firstOfSync = (since: string | number, nowMs: number): FirstEvents => {
  const sinceTimeMs = typeof since === 'number' ? since : Date.parse(since);
  return { sinceMs: Math.min(Math.max(0, Math.round(nowMs - sinceTimeMs)), MAX_SINCE_MS) };
};

/** What a subscribe frame takes. */
const MAX_SINCE_MS = 10 * 365 * 86_400_000;

const joining = (room: unknown, rooms: LegacyRooms): CanonicalRequest | undefined => {
  const channels = typeof room === 'string' ? rooms.channelsOf(room) : [];
  return channels.length > 0 ? { kind: 'subscribe', channels } : undefined;
};

const fromBareId = (channel: Channel, id: string): string | undefined =>
  channel.params.length === 1 && isParameter(id) ? `${channel.prefix}:${id}` : undefined;

/** `{orderId}`, or nothing where the plain name will do. */
const fromFields = (channel: Channel, data: unknown): string | undefined => {
  const values = channel.params.map((param) => own(data, param) ?? undefined);
  const given = values.filter((value) => value !== undefined);
  if (!given.every(isParameter) || !canBeNamed(channel, given.length)) return undefined;
  return [channel.prefix, ...given].join(':');
};

const oldSubscriptions = (
  kind: 'subscribe' | 'unsubscribe',
  { prefix, params }: Channel,
  values: readonly string[],
  rooms: readonly string[],
): readonly OldRequest[] => {
  const fields = Object.fromEntries(values.map((value, at) => [params[at]!, value]));
  return [
    { name: `${kind}:${prefix}`, data: fields },
    ...(values.length === 1 ? [{ name: `${prefix}:${kind}`, data: values[0]! }] : []),
    ...(kind === 'subscribe'
      ? rooms.flatMap((room) => [
          { name: 'room:join', data: { roomId: room } },
          { name: 'join', data: room },
        ])
      : []),
  ];
};

const isTime = (value: unknown): value is string | number =>
  typeof value === 'number' ? Number.isFinite(value) : typeof value === 'string' && !Number.isNaN(Date.parse(value));

const isRecord = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (data: unknown, field: string): unknown =>
  isRecord(data) && Object.hasOwn(data, field) ? data[field] : undefined;

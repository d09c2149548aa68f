// A decision on its way into streams: its identity, and the rest of it in a header of its first event, so that whoever
// finds the first event stored can finish what somebody else began. Pure.
import { createHash } from 'node:crypto';
import type { DecisionContext, Effect, GrantQuestion } from './definition.ts';

/** Printable ASCII JSON. Services read it; gateways and clients never see headers. */
export const DECISION_HEADER = 'Sluice-Decision';

export interface PlannedEvent {
  readonly type: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What is left to do once the first event is stored. */
export interface Remainder {
  readonly events: readonly PlannedEvent[];
  readonly effects: readonly Effect[];
  /** Of a command. */
  readonly outcome?: Outcome;
}

export interface Outcome {
  readonly userId: string;
  readonly command: string;
  readonly commandId: string;
  readonly result?: unknown;
  readonly timestamp: string;
}

const HASH_LENGTH = 22;

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, HASH_LENGTH);

/** Ids are per user and command name: two users may use the same. */
export const causeOfCommand = (command: string, sub: string, commandId: string): string =>
  hash(`command\n${command}\n${sub}\n${commandId}`);

export const causeOfEvent = (service: string, stream: string, sequence: number, key: string = ''): string =>
  hash(`event\n${service}\n${stream}\n${sequence}\n${key}`);

export const causeOfTick = (service: string, key: string): string => hash(`tick\n${service}\n${key}`);

/** Of a command's outcome: no event of a decision. */
export const outcomeIdOf = (userId: string, command: string, commandId: string): string =>
  `${hash(`${userId}\n${command}\n${commandId}`)}.outcome`;

/** A command's name as one token of its outcome's subject. */
export const commandTokenOf = (command: string): string => command.replaceAll('.', ':');

const MESSAGE_ID = /^([A-Za-z0-9_-]{22})\.(\d{1,6})$/;

export const messageIdOf = (cause: string, index: number): string => `${cause}.${index}`;

/** Undefined for events that no service published. */
export const parseMessageId = (id: string): { cause: string; index: number } | undefined => {
  const match = MESSAGE_ID.exec(id);
  return match ? { cause: match[1]!, index: Number(match[2]) } : undefined;
};

const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/g;

/** Undefined if the first event is all there is. */
export const encodeRemainder = (rest: Remainder): string | undefined => {
  if (rest.events.length === 0 && rest.effects.length === 0 && rest.outcome === undefined) return undefined;
  // Inside JSON strings only: its syntax is ASCII.
  return JSON.stringify(rest).replace(
    NOT_PRINTABLE_ASCII,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
};

const NO_EVENTS = '{"events":[],';

/** Whether events are to be stored after the first one: cheaper than decoding, for those who read the whole past. */
export const hasMoreEvents = (header: string): boolean => !header.startsWith(NO_EVENTS);

/** Headers can be forged by whoever may publish: anything odd is no remainder. */
export const decodeRemainder = (header: string): Remainder | undefined => {
  try {
    const { events, effects, outcome } = JSON.parse(header) as Partial<Remainder>;
    if (!Array.isArray(events) || !Array.isArray(effects) || !events.every(isPlanned)) return undefined;
    return { events, effects, ...(outcome !== undefined && { outcome }) };
  } catch {
    return undefined;
  }
};

const isPlanned = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  const { type, keys, payload } = value as Partial<PlannedEvent>;
  const isObject = (field: unknown): boolean => typeof field === 'object' && field !== null;
  return typeof type === 'string' && isObject(keys) && isObject(payload);
};

const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_LENGTH = 14;

const idOf = (cause: string, index: number): string => {
  const bytes = createHash('sha256').update(`${cause}\n${index}`).digest();
  return Array.from({ length: ID_LENGTH }, (_, at) => ID_ALPHABET[bytes[at]! & 31]).join('');
};

export const contextOf = (cause: string, nowMs: number, grants: readonly GrantQuestion[] = []): DecisionContext => {
  let count = 0;
  return {
    nowMs,
    timestamp: new Date(nowMs).toISOString(),
    id: (prefix) => `${prefix}-${idOf(cause, count++)}`,
    isGranted: (channel, userId) => grants.some((grant) => grant.channel === channel && grant.userId === userId),
  };
};

// What a catalogue is made of: streams, families of event types, channels. Definitions only; compile.ts checks them
// and derives everything else.
import type { Static, TSchema } from 'typebox';
import type { FirstEvents } from '../frames/fields.ts';

/** A JetStream stream; its subjects follow from the families that name it. */
export interface StreamDefinition {
  readonly name: string;
  readonly maxAgeMs: number;
  readonly maxBytes?: number;
}

/**
 * `state`: the newest one describes now. `moment`: it happened, and showing it again later is noise. `ephemeral`: never
 * stored; travels on `eph.<subject>`.
 */
export type EventKind = 'state' | 'moment' | 'ephemeral';

/** A payload of one vocabulary as the other has it. Pure; throws nothing that a payload of the right schema could cause. */
export type Reshape = (data: Readonly<Record<string, unknown>>) => Record<string, unknown>;
/** The same where one event is several in the other vocabulary, or none. */
export type ReshapeToMany = (data: Readonly<Record<string, unknown>>) => readonly Record<string, unknown>[];

/** A name that apps already in the field use. Its shape differs from the canonical one where there are functions. */
export interface Alias {
  readonly name: string;
  readonly toOld?: Reshape | ReshapeToMany;
  readonly fromOld?: Reshape;
}

/** At most one event per subject and so many ms reaches a subscriber: the newest, in order, never none. */
export interface Conflation {
  readonly everyMs: number;
}

/** The event is nobody's business after the time (ISO 8601) in this field of its payload. */
export interface Expiry {
  readonly field: string;
}

/** With one of these values in the field, what the subject's keys name (an order, say) has ended. */
export interface Ending {
  readonly field: string;
  readonly values: readonly string[];
}

export interface EventTypeDefinition<S extends TSchema = TSchema> {
  readonly kind: EventKind;
  readonly schema: S;
  readonly aliases: readonly Alias[];
  readonly conflate?: Conflation;
  readonly expires?: Expiry;
  readonly ends?: Ending;
}

interface EventTypeOptions {
  readonly aliases?: readonly (string | Alias)[];
  readonly conflate?: Conflation;
  readonly expires?: Expiry;
  readonly ends?: Ending;
}

const toAlias = (alias: string | Alias): Alias => (typeof alias === 'string' ? { name: alias } : alias);

const eventType =
  (kind: EventKind) =>
  <S extends TSchema>(schema: S, options: EventTypeOptions = {}): EventTypeDefinition<S> => ({
    ...options,
    kind,
    schema,
    aliases: (options.aliases ?? []).map(toAlias),
  });

export const state = eventType('state');
export const moment = eventType('moment');
export const ephemeral = eventType('ephemeral');

/** A value for a placeholder: of the channel's name, of the verified token, or a fixed text before (or instead of) one. */
export type Binding =
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string; readonly claim?: string };

export const param = (name: string): Binding => ({ kind: 'param', name });
export const claim = (name: string): Binding => ({ kind: 'claim', name });
/** `text('cart-', 'sub')` is `cart-u-1` for u-1; `text('monthly')` is itself. */
export const text = (fixed: string, claimName?: string): Binding => ({
  kind: 'text',
  text: fixed,
  ...(claimName !== undefined && { claim: claimName }),
});

/** Which events of a family a channel carries; placeholders without a binding are wildcards. */
export interface FilterDefinition {
  readonly family: string;
  readonly bindings: Readonly<Record<string, Binding>>;
  /** Type names within the family; absent means every type. */
  readonly types?: readonly string[];
}

export interface FamilyDefinition<
  Name extends string = string,
  Types extends Record<string, EventTypeDefinition> = Record<string, EventTypeDefinition>,
  Subject extends string = string,
> {
  readonly name: Name;
  /** `order.{merchantId}.{userId}.{orderId}`; the type's name is the last token of a stored subject. */
  readonly subject: Subject;
  readonly stream: StreamDefinition;
  readonly types: Types;
  /** Who may see events of this family at all; a channel that would show them to others is refused. */
  readonly guard?: Guard;
}

/**
 * Every filter has to bind one of these placeholders to one of its verified claims, unless it takes a grant for the
 * channel or is for exempt roles alone. With no placeholders, only exempt roles may.
 */
export interface Guard {
  /** `{userId: ['sub']}`: the user whose id is in the subject is the one that the token names. */
  readonly placeholders: Readonly<Record<string, readonly string[]>>;
  readonly exempt?: readonly string[];
}

export const family = <
  const Name extends string,
  const Types extends Record<string, EventTypeDefinition>,
  const Subject extends string,
>(
  definition: FamilyDefinition<Name, Types, Subject>,
): FamilyDefinition<Name, Types, Subject> => definition;

/** Events of `of` whose placeholders have these values. */
export const filter = <F extends FamilyDefinition>(
  of: F,
  bindings: Readonly<Record<string, Binding>>,
  types?: readonly (keyof F['types'] & string)[],
): FilterDefinition => ({ family: of.name, bindings, ...(types && { types }) });

export interface ChannelAccess {
  /** Roles that get these filters; `any` is every signed-in user. */
  readonly roles: readonly string[] | 'any';
  /** Only where these parameters have these values: a customer's own support chat, say. */
  readonly where?: Readonly<Record<string, Binding>>;
  /** Only with a grant for this channel and user, which a service gives and takes (KV bucket of grants). */
  readonly isGranted?: true;
  readonly filters: readonly FilterDefinition[];
}

export interface ChannelDefinition {
  /** `order:{orderId}`, or a plain name. */
  readonly name: string;
  /** Parameters that must equal (or be one of) a verified claim; others only have to be safe tokens. */
  readonly owner?: Readonly<Record<string, Binding>>;
  /** The first entry that fits the caller wins: its roles name the caller's, and its `where` holds. */
  readonly access: readonly ChannelAccess[];
  readonly first: FirstEvents;
  /** First states leave out those of what has ended (`ends` of a type): a shop begins with its open orders. */
  readonly omitsEnded?: true;
  /** What the plain prefix stands for: `feed` is `feed:{sub}` by `{userId: claim('sub')}`. */
  readonly plain?: Readonly<Record<string, Binding>>;
  /** The plain prefix stands for the one that was asked for last on the connection, where one was; else for `plain`. */
  readonly isPlainLastAsked?: true;
  /** Joined by itself on connect, under its plain name (one channel per value of a list claim), by these roles. */
  readonly joined?: readonly string[] | 'any';
  /** What subscribers may ask about each other: who is there, or only how many. */
  readonly presence?: 'members' | 'count';
  /** Names that apps already in the field use for it: `order-{orderId}`. */
  readonly rooms?: readonly string[];
}

/** What a command does to an edit that was made offline and comes late. */
export type OfflineRule = 'commutative' | 'last_wins' | 'rejected_with_state' | 'never_queued';

/** A value of an ephemeral event that a command becomes: of the command's data, of the token, or of the gateway. */
export type EphemeralField = { readonly field: string } | { readonly claim: string } | 'now';

/** A command that no service sees: the gateway makes an ephemeral event of it, for those who are on a channel with the sender. */
export interface EphemeralEffect {
  /** Full name: `chat.typing`. */
  readonly type: string;
  /** The channel that the sender must be subscribed to: name with fields of the command, `chat:{chatId}`. */
  readonly channel: string;
  /** Placeholders of the family's subject. */
  readonly keys: Readonly<Record<string, EphemeralField>>;
  readonly data: Readonly<Record<string, EphemeralField>>;
  /** Sent for the sender when its connection goes while the last one said otherwise: `{isTyping: false}`. */
  readonly atEnd?: Readonly<Record<string, unknown>>;
}

export interface CommandDefinition<Name extends string = string, S extends TSchema = TSchema> {
  /** `chat.send_message`: two or more snake_case words. */
  readonly name: Name;
  readonly schema: S;
  /** Who may send it. Whether this user may do this to that object is the service's decision. */
  readonly roles: readonly string[] | 'any';
  readonly offline: OfflineRule;
  readonly aliases?: readonly Alias[];
  readonly effect?: EphemeralEffect;
}

export const command = <const Name extends string, S extends TSchema>(
  definition: CommandDefinition<Name, S>,
): CommandDefinition<Name, S> => definition;

/** Request and reply, nothing stored: a service answers on `call.<name>.<sub>`. */
export interface CallDefinition<
  Name extends string = string,
  Q extends TSchema = TSchema,
  A extends TSchema = TSchema,
> {
  readonly name: Name;
  readonly request: Q;
  readonly answer: A;
  readonly roles: readonly string[] | 'any';
  readonly timeoutMs: number;
}

export const call = <const Name extends string, Q extends TSchema, A extends TSchema>(
  definition: CallDefinition<Name, Q, A>,
): CallDefinition<Name, Q, A> => definition;

export const channel = (definition: ChannelDefinition): ChannelDefinition => definition;

/** The events that the gateway publishes when a user's first device comes and when the last one has gone. */
export interface PresenceDefinition {
  /** Full name of a stored type: `user.online`. */
  readonly online: string;
  readonly offline: string;
  /** The one placeholder of their family's subject, and the field of the payload, that names the user. */
  readonly key: string;
}

export interface CatalogueDefinition<
  Families extends readonly FamilyDefinition[] = readonly FamilyDefinition[],
  Commands extends readonly CommandDefinition[] = readonly CommandDefinition[],
  Calls extends readonly CallDefinition[] = readonly CallDefinition[],
> {
  readonly families: Families;
  readonly channels: readonly ChannelDefinition[];
  readonly commands?: Commands;
  readonly calls?: Calls;
  /** Claims that services learn of who sent a command, beside `sub` and role. */
  readonly actorClaims?: readonly string[];
  /** Absent: nobody is told who comes and goes. */
  readonly presence?: PresenceDefinition;
  /** The claim that names the role, and the role of a token without it. */
  readonly role: { readonly claim: string; readonly fallback: string };
}

export const catalogue = <
  const Families extends readonly FamilyDefinition[],
  const Commands extends readonly CommandDefinition[] = readonly [],
  const Calls extends readonly CallDefinition[] = readonly [],
>(
  definition: CatalogueDefinition<Families, Commands, Calls>,
): CatalogueDefinition<Families, Commands, Calls> => definition;

/** `{'chat.send_message': {chatId: string, ...}, ...}` */
export type CommandsOf<C> =
  C extends CatalogueDefinition<readonly FamilyDefinition[], infer Commands>
    ? { readonly [D in Commands[number] as D['name']]: Static<D['schema']> }
    : never;

/** `{'feed.page': {request: ..., answer: ...}, ...}` */
export type CallsOf<C> =
  C extends CatalogueDefinition<readonly FamilyDefinition[], readonly CommandDefinition[], infer Calls>
    ? { readonly [D in Calls[number] as D['name']]: { request: Static<D['request']>; answer: Static<D['answer']> } }
    : never;

/** `{'order.status_changed': {orderId: string, ...}, ...}`: what producers and clients are typed by. */
export type EventsOf<C> =
  C extends CatalogueDefinition<infer Families>
    ? UnionToIntersection<
        { [I in keyof Families]: Families[I] extends FamilyDefinition ? EventsOfFamily<Families[I]> : never }[number]
      >
    : never;

type EventsOfFamily<F extends FamilyDefinition> = {
  readonly [T in keyof F['types'] & string as `${F['name']}.${T}`]: Static<F['types'][T]['schema']>;
};

/** The keys of a type's subject: `{merchantId: string, userId: string, orderId: string}` for `order.status_changed`. */
export type KeysOf<C, Type extends string> =
  C extends CatalogueDefinition<infer Families>
    ? Readonly<Record<Placeholders<FamilyOfType<Families[number], Type>['subject']>, string>>
    : never;

type FamilyOfType<F extends FamilyDefinition, Type extends string> = Extract<
  F,
  { readonly name: Type extends `${infer Name}.${string}` ? Name : never }
>;

// A catalogue that is only known at run time has subjects of type `string`: any key may be given then.
type Placeholders<Subject extends string> = string extends Subject
  ? string
  : Subject extends `${string}{${infer Placeholder}}${infer Rest}`
    ? Placeholder | Placeholders<Rest>
    : never;

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

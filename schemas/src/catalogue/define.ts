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

/** `state`: the newest one describes now. `moment`: it happened, and showing it again later is noise. */
export type EventKind = 'state' | 'moment';

export interface EventTypeDefinition<S extends TSchema = TSchema> {
  readonly kind: EventKind;
  readonly schema: S;
  /** Names that apps already in the field listen for. */
  readonly aliases: readonly string[];
}

interface EventTypeOptions {
  readonly aliases?: readonly string[];
}

const eventType =
  (kind: EventKind) =>
  <S extends TSchema>(schema: S, options: EventTypeOptions = {}): EventTypeDefinition<S> => ({
    kind,
    schema,
    aliases: options.aliases ?? [],
  });

export const state = eventType('state');
export const moment = eventType('moment');

/** A value for a placeholder: of the channel's name, or of the verified token. */
export type Binding =
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string };

export const param = (name: string): Binding => ({ kind: 'param', name });
export const claim = (name: string): Binding => ({ kind: 'claim', name });

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
  readonly filters: readonly FilterDefinition[];
}

export interface ChannelDefinition {
  /** `order:{orderId}`, or a plain name. */
  readonly name: string;
  /** Parameters that must equal (or be one of) a verified claim; others only have to be safe tokens. */
  readonly owner?: Readonly<Record<string, Binding>>;
  /** The first entry that names the caller's role wins. */
  readonly access: readonly ChannelAccess[];
  readonly first: FirstEvents;
}

export const channel = (definition: ChannelDefinition): ChannelDefinition => definition;

export interface CatalogueDefinition<Families extends readonly FamilyDefinition[] = readonly FamilyDefinition[]> {
  readonly families: Families;
  readonly channels: readonly ChannelDefinition[];
  /** The claim that names the role, and the role of a token without it. */
  readonly role: { readonly claim: string; readonly fallback: string };
}

export const catalogue = <const Families extends readonly FamilyDefinition[]>(
  definition: CatalogueDefinition<Families>,
): CatalogueDefinition<Families> => definition;

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

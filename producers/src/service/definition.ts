// What a service is: which events make its state, what it decides about commands, what it does about events and time.
// Pure types and builders; the shell (service.ts) knows streams.
import type { Actor, CallAnswer, CatalogueDefinition, CommandsOf, EventsOf, KeysOf, rez } from '@sluice/schemas';

type Names<T> = keyof T & string;

/** An event that a decision makes. `timestamp`s and ids in it come from the context, never from a client. */
export type NewEvent<C extends CatalogueDefinition = typeof rez> = {
  [T in Names<EventsOf<C>>]: { readonly type: T; readonly keys: KeysOf<C, T>; readonly payload: EventsOf<C>[T] };
}[Names<EventsOf<C>>];

/** An event that was stored, by whomever; its payload fits its schema. */
export type PastEvent<C extends CatalogueDefinition = typeof rez> = {
  [T in Names<EventsOf<C>>]: {
    readonly type: T;
    readonly keys: KeysOf<C, T>;
    readonly payload: EventsOf<C>[T];
    readonly stream: string;
    readonly sequence: number;
    /** When the stream stored it. */
    readonly timeMs: number;
  };
}[Names<EventsOf<C>>];

/** The one event type, for helper functions: `PastEventOf<'order.created'>`. */
export type PastEventOf<T extends string, C extends CatalogueDefinition = typeof rez> = Extract<
  PastEvent<C>,
  { readonly type: T }
>;

export type ServiceCommand<C extends CatalogueDefinition = typeof rez> = {
  [N in Names<CommandsOf<C>>]: {
    readonly name: N;
    readonly id: string;
    /** Who acts, by the verified token. */
    readonly actor: Actor;
    readonly data: CommandsOf<C>[N];
  };
}[Names<CommandsOf<C>>];

export type ServiceCommandOf<N extends string, C extends CatalogueDefinition = typeof rez> = Extract<
  ServiceCommand<C>,
  { readonly name: N }
>;

/** What a decision may know beside the state. The same cause always gets the same ids. */
export interface DecisionContext {
  readonly nowMs: number;
  /** ISO 8601 of now. */
  readonly timestamp: string;
  /** `o-4f7k...`: the n-th call within one decision is always the same id for the same cause. */
  readonly id: (prefix: string) => string;
  /** Of the grants that `asksGrants` named. */
  isGranted(channel: string, userId: string): boolean;
}

/** Whether this user is a member of this channel: `chat:c-1`. */
export interface GrantQuestion {
  readonly channel: string;
  readonly userId: string;
}

/** Done once the first event is stored, and again after a crash: must be harmless twice. */
export type Effect =
  | { readonly kind: 'grant'; readonly channel: string; readonly userId: string; readonly expiresAt?: string }
  | { readonly kind: 'revoke'; readonly channel: string; readonly userId: string };

export interface Applied<C extends CatalogueDefinition = typeof rez> {
  readonly kind: 'applied';
  /**
   * All or nothing. The first one decides: it is stored only if nothing was added to its guard since the state was
   * read, and it carries the others with it; these must not depend on what another guard protects.
   */
  readonly events: readonly NewEvent<C>[];
  readonly result?: unknown;
  readonly effects?: readonly Effect[];
}

export interface Rejected {
  readonly kind: 'rejected';
  /** For programs: `out_of_stock`. */
  readonly code: string;
  /** For people. */
  readonly reason: string;
  /** What is so now, where the command's offline rule promises it. */
  readonly state?: unknown;
}

export type Verdict<C extends CatalogueDefinition = typeof rez> = Applied<C> | Rejected;

/** What a service does of itself, because of an event or of the time. */
export interface Consequence<C extends CatalogueDefinition = typeof rez> {
  /**
   * Identity within its cause: the same consequence always has the same one, also after a crash and with another state.
   * May be absent where an event has one consequence at most.
   */
  readonly key?: string;
  /** None: the effects are all there is to it, and happen as often as the cause is handled. */
  readonly events: readonly NewEvent<C>[];
  readonly effects?: readonly Effect[];
}

export interface Tick<State, C extends CatalogueDefinition = typeof rez> {
  readonly everyMs: number;
  /** What is due now. Each needs a `key` that is never used for another. */
  readonly due: (state: State, context: DecisionContext) => readonly Consequence<C>[];
}

export interface ServiceDefinition<State, C extends CatalogueDefinition = typeof rez> {
  readonly name: string;
  readonly catalogue: C;
  /**
   * Families (`cart`) and types (`product.price_updated`) that the state is folded from: read from the streams' start, one
   * stream after the other in this order, then as they come. Must hold every stored type that this service writes.
   */
  readonly reads: readonly string[];
  /**
   * What the first event of a decision is guarded by: absent, all events on its own subject (same keys, same type);
   * `{wallet: ['userId']}`: all events of the family with the same `userId`. Such a family must be read as a whole.
   */
  readonly guards?: Readonly<Record<string, readonly string[]>>;
  readonly commands: readonly Names<CommandsOf<C>>[];
  readonly initial: () => State;
  /** Changes the state in place. Each event once, in order per stream; streams among each other in no order. */
  readonly fold: (state: State, event: PastEvent<C>) => void;
  readonly decide?: (state: State, command: ServiceCommand<C>, context: DecisionContext) => Verdict<C>;
  /** Grants that the decision depends on: asked of the leader before, since a member may have been revoked just now. */
  readonly asksGrants?: (command: ServiceCommand<C>) => readonly GrantQuestion[];
  /** Commands of one lane are decided one after the other. Default: the sender. */
  readonly lane?: (command: ServiceCommand<C>) => string;
  /** Types that it reacts to. They are folded first where `reads` has them. */
  readonly reactsTo?: readonly Names<EventsOf<C>>[];
  readonly react?: (state: State, event: PastEvent<C>, context: DecisionContext) => readonly Consequence<C>[];
  readonly tick?: Tick<State, C>;
  /**
   * For a state of plain data (no classes): it is kept now and then, so that a start need not read everything. Another
   * number whenever the state or its meaning changes: what was kept before is then read anew.
   */
  readonly snapshotVersion?: number;
  /** Drops from the state what is of no use any more: what streams have forgotten by then. */
  readonly forget?: (state: State, beforeMs: number) => void;
  /** Answers from the state, nothing stored. */
  readonly calls?: Readonly<Record<string, (state: State, actor: Actor, data: unknown) => CallAnswer>>;
}

/** A service of any state, for what runs them. */
// oxlint-disable-next-line typescript/no-explicit-any -- a state goes only back to the functions that made it
export type AnyService = ServiceDefinition<any, any>;

export const defineService = <State, C extends CatalogueDefinition>(
  definition: ServiceDefinition<State, C>,
): ServiceDefinition<State, C> => definition;

export const applied = <C extends CatalogueDefinition = typeof rez>(
  events: readonly NewEvent<C>[],
  more: { readonly result?: unknown; readonly effects?: readonly Effect[] } = {},
): Applied<C> => ({ kind: 'applied', events, ...more });

export const rejected = (code: string, reason: string, state?: unknown): Rejected => ({
  kind: 'rejected',
  code,
  reason,
  ...(state !== undefined && { state }),
});

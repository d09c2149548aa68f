// What applications program against: the client's interface, typed by a catalogue. Types only.
import type { CallOptions, ChannelPresence } from './calls.ts';
import type { Acknowledgement, SendOptions } from './commands.ts';
import type { ClientError } from './errors.ts';
import type { AnyEvent, ChannelEvent, EventTypes, Listener } from './events.ts';
import type { ConnectionState } from './state.ts';
import type { SubscribeOptions, Subscription } from './subscription.ts';
import type { DeliveryCounts } from './subscriptions.ts';

export interface ClientEvents {
  state: ConnectionState;
  /** What no subscription's own `error` listener took. Without any listener, what listeners throw ends up uncaught. */
  error: ClientError;
  /**
   * The gateway has joined the client to a channel: listen here, before its first events arrive. `subscribe` returns the
   * same subscription, once, unless there were events that nobody heard: then this one ends, and the channel is asked for
   * anew. Unsubscribing is remembered for as long as the client lives.
   */
  joined: Subscription;
}

export type ClientEventName<Events extends EventTypes> = keyof ClientEvents | 'event' | (keyof Events & string);

export type ClientEventValue<
  Events extends EventTypes,
  Name extends ClientEventName<Events>,
> = Name extends keyof ClientEvents
  ? ClientEvents[Name]
  : Name extends 'event'
    ? AnyEvent<Events>
    : Name extends keyof Events & string
      ? ChannelEvent<Name, Events[Name]>
      : never;

/** Command names to their data: `CommandsOf<typeof catalogue>`. */
export type CommandTypes = object;
type AnyCommands = Record<string, Readonly<Record<string, unknown>>>;

/** Call names to what is asked and answered: `CallsOf<typeof catalogue>`. */
export type CallTypes = object;
type AnyCalls = Record<string, { readonly request: Readonly<Record<string, unknown>>; readonly answer: unknown }>;
type RequestOf<Call> = Call extends { readonly request: infer Request } ? Request : never;
type AnswerOf<Call> = Call extends { readonly answer: infer Answer } ? Answer : never;

export interface Client<
  Events extends EventTypes = Record<string, unknown>,
  Commands extends CommandTypes = AnyCommands,
  Calls extends CallTypes = AnyCalls,
> {
  readonly state: ConnectionState;
  /** The verified `sub` of the token, once welcomed. */
  readonly subject: string | undefined;
  readonly counts: Readonly<DeliveryCounts>;
  /** Starts connecting, also again after `failed`; does nothing while it is under way. */
  connect(): void;
  /** Resolves once connected; rejects with a ClientError when the state becomes `failed` or the client is closed. */
  connected(): Promise<void>;
  /** Disconnects. Subscriptions and positions are kept for another `connect`; commands, calls and the token are dropped. */
  close(): void;
  /** Connects now: after `failed`, or instead of waiting for the next attempt. */
  retry(): void;
  /** What the device says about its network: no attempts while it is offline, one at once when it is back. */
  networkChanged(isOnline: boolean): void;
  /** The application came to the foreground: reconnects at once if the connection did not survive. */
  foreground(): void;
  /** Works at any time. Throws `already_subscribed`, `too_many_subscriptions`, `invalid_channel`, `invalid_position`. */
  subscribe(channel: string, options?: SubscribeOptions): Subscription<Events>;
  /** The subscription that `subscribe` returned or the gateway has joined, until it ends. */
  subscription(channel: string): Subscription<Events> | undefined;
  /**
   * Resolves once the command is stored; whether a service accepts it comes as an event with the command's id. Until
   * then it is kept and sent again, with the same id, after every interruption: it is applied once. At most 100 and
   * 4 MiB are kept, for 24 hours; `close` and another user's token drop them. Rejects with a ClientError.
   */
  send<Name extends keyof Commands & string>(
    name: Name,
    data: Commands[Name],
    options?: SendOptions,
  ): Promise<Acknowledgement>;
  /** Asks a service once. Rejects with a ClientError: `refused`, with the service's own code, `no_answer`, ... */
  call<Name extends keyof Calls & string>(
    name: Name,
    data: RequestOf<Calls[Name]>,
    options?: CallOptions,
  ): Promise<AnswerOf<Calls[Name]>>;
  /**
   * Who is on a channel of this client, over all pods, where its catalogue entry lets subscribers ask. Rejects with a
   * ClientError: `not_subscribed`, `forbidden`, `unavailable`, ...
   */
  presence(channel: string): Promise<ChannelPresence>;
  /**
   * Listens to the client itself, or by type to events on whatever channel, each once: one that comes on two channels, an
   * order's status on `order:` and `user:`, is that of the first. The returned function stops that.
   */
  on<Name extends ClientEventName<Events>>(name: Name, listener: Listener<ClientEventValue<Events, Name>>): () => void;
}

// What listeners get, typed by a catalogue, and the emitter behind every `on`.
import type { EncodedPosition, ResetReason } from '@sluice/schemas';
import type { ClientError } from './errors.ts';

/** Event type names to payloads, such as `RezEvents`. Without one, payloads are `unknown`. */
export type EventTypes = object;

/** What was stored: it has a place, is missed by nobody and comes once. */
export interface StoredEvent<Type extends string = string, Data = unknown> {
  /** The name the application subscribed to. */
  readonly channel: string;
  readonly type: Type;
  readonly data: Data;
  readonly isEphemeral: false;
  /** Place in its stream; with `epoch` it names the event for good. */
  readonly sequence: number;
  readonly epoch: string;
  /** Store time in ms since 1970, by the clock of the NATS server. */
  readonly timeMs: number;
  /** False for what was missed, or stored before subscribing, and arrives before live goes on. */
  readonly isLive: boolean;
}

/** What only passes by (typing): it has no place in any stream, and whoever was away never learns of it. */
export interface EphemeralEvent<Type extends string = string, Data = unknown> {
  readonly channel: string;
  readonly type: Type;
  readonly data: Data;
  readonly isEphemeral: true;
  readonly sequence?: undefined;
  readonly epoch?: undefined;
  readonly timeMs?: undefined;
  readonly isLive: true;
}

/** Told apart by `isEphemeral`. */
export type ChannelEvent<Type extends string = string, Data = unknown> =
  | StoredEvent<Type, Data>
  | EphemeralEvent<Type, Data>;

/** Every event of a catalogue, told apart by `type`. */
export type AnyEvent<Events extends EventTypes> = {
  [Type in keyof Events & string]: ChannelEvent<Type, Events[Type]>;
}[keyof Events & string];

export interface ResetNotice {
  readonly channel: string;
  readonly reason: ResetReason | (string & {});
  /** First retained sequence, where the reason is `truncated`. */
  readonly from?: number;
}

export interface SubscriptionLifecycle<Events extends EventTypes> {
  /** Every event, also those with a listener of their own. */
  event: AnyEvent<Events>;
  /** The gateway accepted the subscription; once per connection. Not recovered: first events follow. */
  subscribed: { readonly channel: string; readonly isRecovered: boolean };
  /** Everything up to here has arrived. */
  live: { readonly channel: string; readonly position: EncodedPosition | undefined };
  /** Drop what was folded from events so far: the channel's first events follow. */
  reset: ResetNotice;
  error: ClientError;
  /** The subscription is over; `error` says why if the application did not end it. */
  ended: { readonly channel: string; readonly error?: ClientError };
}

export type SubscriptionEventName<Events extends EventTypes> =
  | keyof SubscriptionLifecycle<Events>
  | (keyof Events & string);

export type SubscriptionEventValue<
  Events extends EventTypes,
  Name extends SubscriptionEventName<Events>,
> = Name extends keyof SubscriptionLifecycle<Events>
  ? SubscriptionLifecycle<Events>[Name]
  : Name extends keyof Events & string
    ? ChannelEvent<Name, Events[Name]>
    : never;

/** A listener may be async; what it rejects with is reported like what it throws. */
export type Listener<Value> = (value: Value) => unknown;

/** Listeners by name. One that throws disturbs neither the others nor the caller. */
export class Emitter {
  // Copied on change, so that a listener may add and remove listeners while it runs.
  readonly #listeners = new Map<string, readonly Listener<never>[]>();
  readonly #onThrow: (cause: unknown, name: string) => void;

  constructor(onThrow: (cause: unknown, name: string) => void) {
    this.#onThrow = onThrow;
  }

  on<Value>(name: string, listener: Listener<Value>): () => void {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    let isOn = true;
    return () => {
      if (!isOn) return;
      isOn = false;
      const kept = [...(this.#listeners.get(name) ?? [])];
      kept.splice(kept.indexOf(listener), 1);
      if (kept.length > 0) this.#listeners.set(name, kept);
      else this.#listeners.delete(name);
    };
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  has(name: string): boolean {
    return this.#listeners.has(name);
  }

  emit(name: string, value: unknown): void {
    const listeners = this.#listeners.get(name);
    if (!listeners) return;
    for (const listener of listeners) {
      try {
        const result = (listener as Listener<unknown>)(value);
        if (isThenable(result)) result.then(undefined, (cause: unknown) => this.#onThrow(cause, name));
      } catch (cause) {
        this.#onThrow(cause, name);
      }
    }
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

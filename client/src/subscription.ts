// One channel: what the application holds, and how frames of the channel move its cursor and reach its listeners.
// Knows frames and cursors; not sockets, not the connection's state.
import {
  parsePosition,
  type EncodedPosition,
  type Ephemeral,
  type ErrorFrame,
  type Event,
  type FirstEvents,
  type Live,
  type Reset,
  type Subscribe,
  type Subscribed,
  type Unsubscribed,
} from '@sluice/schemas';
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { Cursor, type Head, type StreamCursor } from './cursor.ts';
import { ClientError } from './errors.ts';
import {
  Emitter,
  type ChannelEvent,
  type EphemeralEvent,
  type EventTypes,
  type Listener,
  type StoredEvent,
  type SubscriptionEventName,
  type SubscriptionEventValue,
  type SubscriptionLifecycle,
} from './events.ts';
import type { Everywhere } from './everywhere.ts';

export interface SubscribeOptions {
  /** Where to start without a position, and after a reset; the catalogue's choice for the channel if absent. */
  readonly first?: FirstEvents;
  /** Goes before the position in the store; `null` ignores that one too and starts afresh. */
  readonly position?: EncodedPosition | null;
}

export interface Subscription<Events extends EventTypes = Record<string, unknown>> {
  /** The name that was subscribed to. */
  readonly channel: string;
  /** `live` once everything that was missed has arrived on the present connection. */
  readonly status: 'waiting' | 'catching_up' | 'live' | 'ended';
  /** After the last event whose listeners ran; opaque, to be given to a later `subscribe`. */
  readonly position: EncodedPosition | undefined;
  /** Listens by event type, or to the subscription itself; the returned function stops that. */
  on<Name extends SubscriptionEventName<Events>>(
    name: Name,
    listener: Listener<SubscriptionEventValue<Events, Name>>,
  ): () => void;
  /** Ends the subscription; the position is kept, so that a later `subscribe` catches up. */
  unsubscribe(): void;
}

/** What a subscription needs of its client. */
export interface SubscriptionHost {
  readonly clock: Clock;
  readonly random: () => number;
  nextRequestId(): number;
  /** A subscription whose retry is due asks to be sent again. */
  resubscribe(subscription: ChannelSubscription): void;
  /** Events with these refs are the subscription's from now on; earlier refs of it are void. */
  bind(subscription: ChannelSubscription, streams: ReadonlyMap<number, Stream>): void;
  /** The cursor moved: the position is worth saving soon. */
  moved(subscription: ChannelSubscription): void;
  /** No more frames are wanted; `isTold` if the gateway has to hear of it. Without an error the application ended it. */
  left(subscription: ChannelSubscription, isTold: boolean, error?: ClientError): void;
  /** Listeners of the client, who hear after the subscription's own. */
  readonly everywhere: Everywhere;
  /** A listener threw, or nobody listens for an error of the subscription. */
  report(error: ClientError): void;
}

type Status =
  /** Not on the wire: no connection, or not yet its turn. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'requested'; readonly id: number }
  | { readonly kind: 'retrying'; readonly cancel: () => void }
  | { readonly kind: 'catching_up' | 'live'; readonly id: number }
  | { readonly kind: 'ended' };

/** How an event frame finds its way: one per ref. */
export interface Stream {
  readonly subscription: ChannelSubscription;
  readonly cursor: StreamCursor;
}

export class ChannelSubscription implements Subscription {
  readonly channel: string;
  readonly #first: FirstEvents | undefined;
  readonly #host: SubscriptionHost;
  readonly #emitter: Emitter;
  readonly #cursor: Cursor;
  #status: Status = { kind: 'idle' };
  /** Name in frames; the gateway may resolve `feed` to `feed:u-1`. */
  #canonical: string;
  #retries = 0;
  /**
   * The position that was sent, while the gateway has not said what became of it: a connection that breaks between a
   * `subscribed` that did not recover and its `reset` must ask with the old position again, or the reset is lost (I2).
   */
  #unanswered: EncodedPosition | undefined;
  #inDelivery: (() => void) | undefined;
  #isUnheard = false;

  constructor(channel: string, options: SubscribeOptions, cursor: Cursor, host: SubscriptionHost) {
    this.channel = channel;
    this.#canonical = channel;
    this.#first = options.first;
    this.#cursor = cursor;
    this.#host = host;
    this.#emitter = new Emitter((cause) => host.report(new ClientError('listener_threw', { channel, cause })));
  }

  get status(): Subscription['status'] {
    const { kind } = this.#status;
    return kind === 'idle' || kind === 'requested' || kind === 'retrying' ? 'waiting' : kind;
  }

  get position(): EncodedPosition | undefined {
    return this.#unanswered ?? this.#cursor.encoded();
  }

  get canonical(): string {
    return this.#canonical;
  }

  /** The last event came while there was no listener at all. */
  get isUnheard(): boolean {
    return this.#isUnheard;
  }

  on<Value>(name: string, listener: Listener<Value>): () => void {
    return this.#emitter.on(name, listener);
  }

  unsubscribe(): void {
    if (this.#status.kind === 'ended') return;
    // A listener that unsubscribes has its event: the position kept must not bring it again.
    this.#inDelivery?.();
    this.#end({ isTold: this.#status.kind === 'requested' || this.#wireId() !== undefined });
  }

  /** The frame that asks for the channel. Only for one that is not on the wire. */
  toRequest(): Subscribe | undefined {
    if (this.#status.kind !== 'idle') return undefined;
    const id = this.#host.nextRequestId();
    const position = this.position;
    this.#unanswered = position;
    this.#status = { kind: 'requested', id };
    return {
      kind: 'subscribe',
      id,
      channel: this.channel,
      ...(position !== undefined && { position }),
      ...(this.#first !== undefined && { first: this.#first }),
    };
  }

  /** The request is with the gateway, and has not been answered. */
  get isRequested(): boolean {
    return this.#status.kind === 'requested';
  }

  /** Would begin where a channel begins that nobody knows anything of. Only for one that is not on the wire. */
  get isFresh(): boolean {
    return this.#status.kind === 'idle' && this.position === undefined && this.#first === undefined;
  }

  /** The gateway serves the channel without having been asked. */
  joined(frame: Subscribed): boolean {
    this.#status = { kind: 'requested', id: frame.id };
    return this.subscribed(frame);
  }

  /** The request could not be met now, and is due again. */
  again(): void {
    if (this.#status.kind === 'requested') this.#status = { kind: 'idle' };
  }

  /** The connection is gone, and with it everything that was said on it. */
  disconnected(): void {
    if (this.#status.kind === 'retrying') this.#status.cancel();
    if (this.#status.kind !== 'ended') this.#status = { kind: 'idle' };
    this.#retries = 0;
  }

  // Frames of the gateway: false where one cannot be read, which the client takes for a broken connection. A frame that
  // comes too late for the subscription's state is no fault: unsubscribing crosses what is under way.

  subscribed(frame: Subscribed): boolean {
    if (this.#status.kind !== 'requested' || this.#status.id !== frame.id) return true;
    const position = parsePosition(frame.position);
    if (!position.ok) return false;
    this.#status = { kind: 'catching_up', id: frame.id };
    this.#canonical = frame.channel;
    if (frame.recovered) this.#unanswered = undefined;
    this.#bind(frame.streams, this.#cursor.begin(frame.streams, position.value, frame.recovered));
    this.#emit('subscribed', { channel: this.channel, isRecovered: frame.recovered });
    return true;
  }

  reset(frame: Reset): boolean {
    const id = this.#wireId();
    if (id === undefined) return true;
    const position = parsePosition(frame.position);
    if (!position.ok) return false;
    this.#status = { kind: 'catching_up', id };
    this.#unanswered = undefined;
    this.#bind(frame.streams, this.#cursor.reset(position.value, frame.streams));
    this.#host.everywhere.reset();
    this.#host.moved(this);
    const from = frame.from === undefined ? {} : { from: frame.from };
    this.#emit('reset', { channel: this.channel, reason: frame.reason, ...from });
    return true;
  }

  live(frame: Live): boolean {
    const id = this.#wireId();
    if (id === undefined) return true;
    const position = parsePosition(frame.position);
    if (!position.ok) return false;
    this.#status = { kind: 'live', id };
    // Not before: one that is accepted and fails at once is to come back ever later.
    this.#retries = 0;
    this.#unanswered = undefined;
    this.#cursor.reach(position.value);
    this.#host.moved(this);
    this.#emit('live', { channel: this.channel, position: this.position });
    return true;
  }

  /** Hands an event to the listeners, then moves past it. False for a duplicate, which nobody sees. */
  event(cursor: StreamCursor, frame: Event): boolean {
    const { sequence, timeMs, type } = frame;
    if (sequence <= cursor.sequence) return false;
    this.#unanswered = undefined;
    const event: StoredEvent = {
      channel: this.channel,
      type,
      data: frame.data,
      isEphemeral: false,
      sequence,
      epoch: cursor.epoch,
      timeMs,
      isLive: this.#status.kind === 'live',
    };
    const pass = (): void => {
      if (sequence <= cursor.sequence) return;
      cursor.sequence = sequence;
      cursor.timeMs = timeMs;
    };
    this.#isUnheard = this.#emitter.isEmpty && !this.#host.everywhere.hasListeners;
    this.#inDelivery = pass;
    this.#hand(event);
    this.#inDelivery = undefined;
    // Only now: what a crash in between repeats is better than what it loses.
    pass();
    if (this.status !== 'ended') this.#host.moved(this);
    return true;
  }

  /** Moves no cursor: nothing of it could be asked for again. */
  ephemeral({ type, data }: Ephemeral): void {
    if (this.#wireId() === undefined) return;
    const event: EphemeralEvent = { channel: this.channel, type, data, isEphemeral: true, isLive: true };
    this.#hand(event);
  }

  ping(heads: readonly Head[]): void {
    if (this.#wireId() !== undefined && this.#cursor.raiseToHeads(heads)) this.#host.moved(this);
  }

  /** The gateway refused the request, or ended the subscription. */
  refused(frame: Pick<ErrorFrame, 'code' | 'retryAfterMs'> & { readonly message?: string }): void {
    if (this.#status.kind === 'ended') return;
    const error = new ClientError(frame.code, {
      channel: this.channel,
      ...(frame.message !== undefined && { message: frame.message }),
      ...(frame.retryAfterMs !== undefined && { isRetryable: true }),
    });
    if (!error.isRetryable) return this.#end({ isTold: false, error });
    this.#host.left(this, false);
    const afterMs = backoffMs(++this.#retries, this.#host.random(), { retryAfterMs: frame.retryAfterMs });
    const cancel = this.#host.clock.after(afterMs, () => {
      this.#status = { kind: 'idle' };
      this.#host.resubscribe(this);
    });
    this.#status = { kind: 'retrying', cancel };
    this.#fail(error);
  }

  /** Trouble that the gateway tells of a channel and that does not end it. */
  troubled(frame: ErrorFrame): void {
    this.#fail(new ClientError(frame.code, { channel: this.channel, message: frame.message }));
  }

  unsubscribed(frame: Unsubscribed): void {
    if (frame.code === undefined) this.#end({ isTold: false });
    else this.refused({ code: frame.code });
  }

  #hand(event: ChannelEvent): void {
    this.#emitter.emit(event.type, event);
    this.#emitter.emit('event', event);
    this.#host.everywhere.hear(event);
  }

  /** Id of the request under which the gateway serves the channel now. */
  #wireId(): number | undefined {
    return this.#status.kind === 'catching_up' || this.#status.kind === 'live' ? this.#status.id : undefined;
  }

  #bind(streams: Subscribed['streams'], cursors: readonly StreamCursor[]): void {
    this.#host.bind(this, new Map(streams.map(([ref], i) => [ref, { subscription: this, cursor: cursors[i]! }])));
  }

  #end({ isTold, error }: { readonly isTold: boolean; readonly error?: ClientError }): void {
    if (this.#status.kind === 'retrying') this.#status.cancel();
    this.#status = { kind: 'ended' };
    this.#host.left(this, isTold, error);
    if (error) this.#fail(error);
    this.#emit('ended', { channel: this.channel, ...(error && { error }) });
  }

  #fail(error: ClientError): void {
    if (this.#emitter.has('error')) this.#emit('error', error);
    else this.#host.report(error);
  }

  #emit<Name extends keyof SubscriptionLifecycle<EventTypes>>(
    name: Name,
    value: SubscriptionLifecycle<EventTypes>[Name],
  ): void {
    this.#emitter.emit(name, value);
  }
}

// All subscriptions of a client: which frame belongs to which, and when their positions are saved.
// Knows frames and the position store; not the connection.
import {
  isRetryable,
  MAX_CHANNEL_CHARS,
  parsePosition,
  type DownFrame,
  type Ephemeral,
  type ErrorFrame,
  type Event,
  type Subscribe,
  type Subscribed,
  type UpFrame,
} from '@sluice/schemas';
import type { Clock } from './clock.ts';
import { Cursor } from './cursor.ts';
import { ClientError } from './errors.ts';
import type { Everywhere } from './everywhere.ts';
import { JOINED_ID, Joining, means } from './joining.ts';
import type { PositionStore } from './positions.ts';
import { ChannelSubscription, type Stream, type SubscribeOptions, type SubscriptionHost } from './subscription.ts';

export interface SubscriptionsContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly positions: PositionStore;
  readonly maxSubscriptions: number;
  /** Sends now where there is a welcomed connection; false where there is none. */
  send(frame: UpFrame): boolean;
  isReady(): boolean;
  nextRequestId(): number;
  report(error: ClientError): void;
  /** Listeners of the client, who hear each event once. */
  readonly everywhere: Everywhere;
  /** The gateway has joined the client to a channel that it did not ask for. */
  joined(subscription: ChannelSubscription): void;
}

/** What a client has seen since it was created. */
export interface DeliveryCounts {
  /** Events handed to listeners. */
  events: number;
  /** Events that were not stored, also handed to listeners. */
  ephemeral: number;
  /** Events that were dropped because they were at or below the position. */
  duplicates: number;
  /** Events of channels that were unsubscribed meanwhile. */
  strays: number;
}

/** A crash repeats at most what came within this time; each save costs the store a write per channel that moved. */
const SAVE_INTERVAL_MS = 1_000;

export class Subscriptions implements SubscriptionHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly everywhere: Everywhere;
  readonly counts: DeliveryCounts = { events: 0, ephemeral: 0, duplicates: 0, strays: 0 };
  readonly #context: SubscriptionsContext;
  readonly #byChannel = new Map<string, ChannelSubscription>();
  // Of the present connection:
  readonly #byRequest = new Map<number, ChannelSubscription>();
  readonly #byCanonical = new Map<string, ChannelSubscription>();
  readonly #byRef = new Map<number, Stream>();
  readonly #joining = new Joining();
  readonly #unsaved = new Set<ChannelSubscription>();
  #cancelSave: (() => void) | undefined;

  constructor(context: SubscriptionsContext) {
    this.#context = context;
    this.clock = context.clock;
    this.random = context.random;
    this.everywhere = context.everywhere;
  }

  get(channel: string): ChannelSubscription | undefined {
    return this.#byChannel.get(channel) ?? this.#joining.find(channel);
  }

  /** Throws `already_subscribed`, `too_many_subscriptions`, `invalid_channel`, `invalid_position`. */
  subscribe(channel: string, options: SubscribeOptions): ChannelSubscription {
    // Sent, it would cost this connection and every one after it.
    if (!isReadable(channel)) throw new ClientError('invalid_channel', { channel });
    // A position of the application's is one that a channel which runs already cannot go back to.
    const joined = typeof options.position === 'string' ? undefined : this.#joining.claim(channel);
    if (joined && !this.#joining.isOwed(joined)) return joined;
    // What came before anybody listened would be missed: the channel is asked for anew.
    if (joined) {
      joined.unsubscribe();
      this.#joining.want(channel);
    }
    if (this.get(channel)) throw new ClientError('already_subscribed', { channel });
    if (this.#byChannel.size >= this.#context.maxSubscriptions) {
      throw new ClientError('too_many_subscriptions', { channel });
    }
    const subscription = this.#add(channel, options);
    this.resubscribe(subscription);
    return subscription;
  }

  /** Frames for all that is not on the wire, made as they are taken. */
  *requests(): Generator<Subscribe> {
    for (const subscriptions of [this.#joining.first(), this.#byChannel.values()]) {
      for (const subscription of subscriptions) {
        const frame = this.#request(subscription);
        if (frame) yield frame;
      }
    }
  }

  disconnected(): void {
    this.#byRequest.clear();
    this.#byCanonical.clear();
    this.#byRef.clear();
    this.#joining.disconnected();
    for (const subscription of this.#byChannel.values()) subscription.disconnected();
    this.save();
  }

  /** False for a frame that cannot be read. */
  receive(frame: Extract<DownFrame, { kind: 'subscribed' | 'live' | 'reset' | 'unsubscribed' | 'error' }>): boolean {
    switch (frame.kind) {
      case 'subscribed':
        if (frame.id === JOINED_ID) return this.#join(frame);
        return this.#byRequest.get(frame.id)?.subscribed(frame) ?? true;
      case 'live':
        return this.#byCanonical.get(frame.channel)?.live(frame) ?? true;
      case 'reset':
        return this.#byCanonical.get(frame.channel)?.reset(frame) ?? true;
      case 'unsubscribed':
        // With an id it answers an unsubscribe, after which nothing is waited for.
        if (frame.id === undefined) this.#byCanonical.get(frame.channel)?.unsubscribed(frame);
        return true;
      case 'error':
        this.#receiveError(frame);
        return true;
    }
  }

  receiveEvent(frame: Event): void {
    const stream = this.#byRef.get(frame.ref);
    if (!stream) this.counts.strays++;
    else if (stream.subscription.event(stream.cursor, frame)) this.counts.events++;
    else this.counts.duplicates++;
  }

  receiveEphemeral(frame: Ephemeral): void {
    const subscription = this.#byCanonical.get(frame.channel);
    if (!subscription) return void this.counts.strays++;
    this.counts.ephemeral++;
    subscription.ephemeral(frame);
  }

  /** Nothing at or below the heads is owed to any channel that the gateway has subscribed on this connection. */
  receiveHeads(heads: readonly (readonly [string, number, number])[]): void {
    for (const subscription of this.#byCanonical.values()) subscription.ping(heads);
  }

  /** Writes what moved to the store now. */
  save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    for (const subscription of this.#unsaved) {
      if (!this.#joining.isOwed(subscription)) this.#save(subscription, this.#namesOf(subscription));
    }
    this.#unsaved.clear();
  }

  // SubscriptionHost

  nextRequestId(): number {
    return this.#context.nextRequestId();
  }

  resubscribe(subscription: ChannelSubscription): void {
    if (!this.#context.isReady()) return;
    const frame = this.#request(subscription);
    if (frame) this.#context.send(frame);
  }

  bind(subscription: ChannelSubscription, streams: ReadonlyMap<number, Stream>): void {
    this.#unbind(subscription);
    this.#byCanonical.set(subscription.canonical, subscription);
    for (const [ref, stream] of streams) this.#byRef.set(ref, stream);
  }

  moved(subscription: ChannelSubscription): void {
    this.#unsaved.add(subscription);
    this.#cancelSave ??= this.clock.after(SAVE_INTERVAL_MS, () => this.save());
  }

  left(subscription: ChannelSubscription, isTold: boolean, error?: ClientError): void {
    this.#unbind(subscription);
    for (const [id, owner] of this.#byRequest) if (owner === subscription) this.#byRequest.delete(id);
    if (subscription.status !== 'ended') return;
    this.#byChannel.delete(subscription.channel);
    this.#unsaved.delete(subscription);
    const names = this.#namesOf(subscription);
    const isOwed = this.#joining.isOwed(subscription);
    this.#joining.ended(subscription, error === undefined);
    if (!isOwed) this.#save(subscription, names);
    if (isTold) this.#leave(subscription.canonical);
  }

  report(error: ClientError): void {
    this.#context.report(error);
  }

  // Joining

  /**
   * The gateway has joined the client. What it serves begins with first events: right for a channel that the client knows
   * nothing of; one with a position, or with a wish of its own for its first events, is asked for anew, or what was missed
   * would be lost.
   */
  #join(frame: Subscribed): boolean {
    const { channel } = frame;
    const known = this.#standingFor(channel);
    if (known && known.status !== 'waiting') return true;
    // Its own request reaches a gateway that has joined the channel: the refusal says so.
    if (known?.isRequested) {
      this.#joining.cross(channel);
      return true;
    }
    if (!known && (!this.#joining.isWanted(channel) || this.#byChannel.size >= this.#context.maxSubscriptions)) {
      this.#leave(channel);
      return true;
    }
    const subscription = known ?? this.#addJoined(channel);
    // Its listener may have ended the connection, and the channel with it: it is asked for on the next one.
    if (!this.#context.isReady()) return true;
    if (subscription.isFresh) return subscription.joined(frame);
    this.#leave(channel);
    this.resubscribe(subscription);
    return true;
  }

  /** One that could not be joined may be had later: then it is asked for like any other. */
  #joinRefused(frame: ErrorFrame): void {
    const { channel, code } = frame;
    if (channel === undefined || this.#standingFor(channel) || !this.#joining.isWanted(channel)) return;
    if (frame.retryAfterMs !== undefined || isRetryable(code)) {
      const subscription = this.#addJoined(channel);
      // A listener that ended the connection has ended the wait as well.
      if (this.#context.isReady()) subscription.refused(frame);
    } else if (code !== 'forbidden') {
      // Nobody has asked for it: that it is not to be had is no news.
      this.report(new ClientError(code, { channel, message: frame.message }));
    }
  }

  #standingFor(channel: string): ChannelSubscription | undefined {
    // A plain name may mean any of its channels only until it has been found to mean one.
    const isIt = (each: ChannelSubscription): boolean =>
      each.canonical === channel || (each.canonical === each.channel && means(each.channel, channel));
    return this.#byChannel.get(channel) ?? [...this.#byChannel.values()].find(isIt);
  }

  #addJoined(channel: string): ChannelSubscription {
    const subscription = this.#add(channel, {});
    this.#joining.add(subscription);
    this.#context.joined(subscription);
    return subscription;
  }

  #add(channel: string, options: SubscribeOptions): ChannelSubscription {
    const subscription = new ChannelSubscription(channel, options, this.#startOf(channel, options), this);
    this.#byChannel.set(channel, subscription);
    return subscription;
  }

  #leave(channel: string): void {
    this.#context.send({ kind: 'unsubscribe', id: this.nextRequestId(), channel });
  }

  #receiveError(frame: ErrorFrame): void {
    if (frame.id === JOINED_ID) return this.#joinRefused(frame);
    const subscription = frame.id === undefined ? undefined : this.#byRequest.get(frame.id);
    const inTheWay = frame.code === 'already_subscribed' && subscription && this.#joining.crossed(subscription.channel);
    if (subscription && inTheWay) {
      this.#leave(inTheWay);
      subscription.again();
      this.resubscribe(subscription);
    } else if (frame.id !== undefined) subscription?.refused(frame);
    else if (frame.channel !== undefined) this.#byCanonical.get(frame.channel)?.troubled(frame);
  }

  #request(subscription: ChannelSubscription): Subscribe | undefined {
    const frame = subscription.toRequest();
    if (frame) this.#byRequest.set(frame.id, subscription);
    return frame;
  }

  #unbind(subscription: ChannelSubscription): void {
    if (this.#byCanonical.get(subscription.canonical) === subscription)
      this.#byCanonical.delete(subscription.canonical);
    for (const [ref, stream] of this.#byRef) if (stream.subscription === subscription) this.#byRef.delete(ref);
  }

  #startOf(channel: string, { position: given }: SubscribeOptions): Cursor {
    if (given === null) return new Cursor();
    if (given !== undefined) {
      const position = parsePosition(given);
      if (!position.ok) throw new ClientError('invalid_position', { channel });
      return new Cursor(position.value);
    }
    const stored = this.#load(channel);
    if (stored === undefined || stored === null) return new Cursor();
    const position = typeof stored === 'string' ? parsePosition(stored) : undefined;
    if (position?.ok) return new Cursor(position.value);
    // What a store returns garbled, or later, must not keep the channel from starting.
    this.report(new ClientError('invalid_position', { channel }));
    return new Cursor();
  }

  #load(channel: string): unknown {
    try {
      return this.#context.positions.load(channel);
    } catch (cause) {
      this.report(new ClientError('position_store_failed', { channel, cause }));
      return undefined;
    }
  }

  /** By any of them the application may subscribe to the channel, or be joined to it, in another life. */
  #namesOf(subscription: ChannelSubscription): ReadonlySet<string> {
    const { channel, canonical } = subscription;
    return new Set([channel, canonical, this.#joining.plainNameOf(subscription) ?? channel]);
  }

  #save({ channel, position }: ChannelSubscription, names: ReadonlySet<string>): void {
    try {
      for (const name of names) {
        if (position === undefined) this.#context.positions.delete(name);
        else this.#context.positions.save(name, position);
      }
    } catch (cause) {
      this.report(new ClientError('position_store_failed', { channel, cause }));
    }
  }
}

/** Whether the wire has a form for this name, whatever a gateway then makes of it: half a character has none in UTF-8. */
const isReadable = (name: unknown): boolean =>
  typeof name === 'string' && name !== '' && name.length <= MAX_CHANNEL_CHARS && !/\p{Surrogate}/u.test(name);

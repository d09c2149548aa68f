// All subscriptions of a client: which frame belongs to which, and when their positions are saved.
// Knows frames and the position store; not the connection.
import {
  parsePosition,
  type DownFrame,
  type EncodedPosition,
  type Ephemeral,
  type ErrorFrame,
  type Event,
  type Subscribe,
  type UpFrame,
} from '@sluice/schemas';
import type { Clock } from './clock.ts';
import { Cursor } from './cursor.ts';
import { ClientError } from './errors.ts';
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
  readonly counts: DeliveryCounts = { events: 0, ephemeral: 0, duplicates: 0, strays: 0 };
  readonly #context: SubscriptionsContext;
  readonly #byChannel = new Map<string, ChannelSubscription>();
  // Of the present connection:
  readonly #byRequest = new Map<number, ChannelSubscription>();
  readonly #byCanonical = new Map<string, ChannelSubscription>();
  readonly #byRef = new Map<number, Stream>();
  readonly #unsaved = new Set<ChannelSubscription>();
  #cancelSave: (() => void) | undefined;

  constructor(context: SubscriptionsContext) {
    this.#context = context;
    this.clock = context.clock;
    this.random = context.random;
  }

  get(channel: string): ChannelSubscription | undefined {
    return this.#byChannel.get(channel);
  }

  /** Throws `already_subscribed`, `too_many_subscriptions`, `invalid_position`. */
  subscribe(channel: string, options: SubscribeOptions): ChannelSubscription {
    if (this.#byChannel.has(channel)) throw new ClientError('already_subscribed', { channel });
    if (this.#byChannel.size >= this.#context.maxSubscriptions) {
      throw new ClientError('too_many_subscriptions', { channel });
    }
    const subscription = new ChannelSubscription(channel, options, this.#startOf(channel, options), this);
    this.#byChannel.set(channel, subscription);
    this.resubscribe(subscription);
    return subscription;
  }

  /** Frames for all that is not on the wire, made as they are taken. */
  *requests(): Generator<Subscribe> {
    for (const subscription of this.#byChannel.values()) {
      const frame = this.#request(subscription);
      if (frame) yield frame;
    }
  }

  disconnected(): void {
    this.#byRequest.clear();
    this.#byCanonical.clear();
    this.#byRef.clear();
    for (const subscription of this.#byChannel.values()) subscription.disconnected();
    this.save();
  }

  /** False for a frame that cannot be read. */
  receive(frame: Extract<DownFrame, { kind: 'subscribed' | 'live' | 'reset' | 'unsubscribed' | 'error' }>): boolean {
    switch (frame.kind) {
      case 'subscribed':
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
    for (const subscription of this.#unsaved) this.#save(subscription);
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

  left(subscription: ChannelSubscription, isTold: boolean): void {
    this.#unbind(subscription);
    for (const [id, owner] of this.#byRequest) if (owner === subscription) this.#byRequest.delete(id);
    if (subscription.status !== 'ended') return;
    this.#byChannel.delete(subscription.channel);
    this.#unsaved.delete(subscription);
    this.#save(subscription);
    if (isTold) {
      this.#context.send({ kind: 'unsubscribe', id: this.nextRequestId(), channel: subscription.canonical });
    }
  }

  report(error: ClientError): void {
    this.#context.report(error);
  }

  #receiveError(frame: ErrorFrame): void {
    if (frame.id !== undefined) this.#byRequest.get(frame.id)?.refused(frame);
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
    const position = stored === undefined ? undefined : parsePosition(stored);
    // What a store returns garbled must not keep the channel from starting.
    if (position && !position.ok) this.report(new ClientError('invalid_position', { channel }));
    return new Cursor(position?.ok ? position.value : undefined);
  }

  #load(channel: string): EncodedPosition | undefined {
    try {
      return this.#context.positions.load(channel);
    } catch (cause) {
      this.report(new ClientError('position_store_failed', { channel, cause }));
      return undefined;
    }
  }

  #save(subscription: ChannelSubscription): void {
    const { channel, position } = subscription;
    try {
      if (position === undefined) this.#context.positions.delete(channel);
      else this.#context.positions.save(channel, position);
    } catch (cause) {
      this.report(new ClientError('position_store_failed', { channel, cause }));
    }
  }
}

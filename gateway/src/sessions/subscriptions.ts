// The subscriptions of one connection: which there are, whose turn it is, and what they may read from JetStream at once.
import { parsePosition, type ErrorCode, type Result, type Subscribe, type Unsubscribe } from '@sluice/schemas';
import { Places } from '../access/limits.ts';
import { joinedChannels, resolveChannel, type ResolvedChannel } from '../access/permission.ts';
import type { Pumped } from '../delivery/pump.ts';
import { count } from '../operations/count.ts';
import type { OpeningConnection } from './opening-reads.ts';
import type { Pod } from './pod.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';

/** The id of what the gateway asks for itself: clients count from 1. */
const JOINED = 0;
/** Of a refused channel's name, what its error repeats. */
const MAX_REPEATED_CHARS = 128;

export class Subscriptions implements OpeningConnection {
  readonly #session: Session;
  readonly #pod: Pod;
  readonly #all: Subscription[] = [];
  /** Whose turn it is among those that are behind. */
  #nextTurn = 0;
  #coldReads: Promise<void> | undefined;
  /** By the plain prefix; most connections ask for none of these. */
  #lastAsked: Map<string, string> | undefined;
  /** Was the first to find no room for a page: who takes what others leave by chance may never find any. */
  #firstForPage: Pumped | undefined;
  /** Openings that wait for room. */
  readonly #forRoom: (() => void)[] = [];

  constructor(session: Session, pod: Pod) {
    this.#session = session;
    this.#pod = pod;
  }

  get all(): readonly Subscription[] {
    return this.#all;
  }

  subscribe({ id, channel, position: text, first }: Subscribe): void {
    const session = this.#session;
    const user = session.user!;
    const refuse = (code: ErrorCode, retryAfterMs?: number): void =>
      session.error(code, {
        id,
        channel: channel.slice(0, MAX_REPEATED_CHARS),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      });
    const waitMs = session.waitToSubscribeMs();
    if (waitMs > 0) return refuse('rate_limited', waitMs);
    const resolved = this.#resolve(channel);
    if (!resolved.ok) return refuse(resolved.error);
    this.#remember(resolved.value.channel);
    if (this.#find(resolved.value.channel)) return refuse('already_subscribed');
    if (this.#all.length >= this.#pod.limits.maxSubscriptions) return refuse('too_many_subscriptions');
    const position = text === undefined ? undefined : parsePosition(text);
    if (position && !position.ok) return refuse('invalid_position');
    if (user.subscriptions >= this.#pod.users.limits.subscriptions) return refuse('too_many_subscriptions');
    user.subscriptions++;
    const request = { id, position: position?.value, first };
    const subscription = new Subscription(session, this, this.#pod, resolved.value, request);
    this.#all.push(subscription);
    if (subscription.restOn(resolved.value.grant)) subscription.open();
    else subscription.denied('grants_unavailable');
  }

  /** The one under this name, canonical or plain. */
  named(channel: string): Subscription | undefined {
    return this.#find(channel) ?? this.#find(this.#canonicalOf(channel));
  }

  unsubscribe({ id, channel }: Unsubscribe): void {
    const subscription = this.named(channel);
    if (!subscription) return this.#session.error('not_subscribed', { id, channel });
    this.#drop(subscription);
    this.#session.pushFrame({ kind: 'unsubscribed', channel: subscription.name, id });
  }

  /**
   * Subscribes to the channels that the catalogue joins this principal to: those that it is not subscribed to and, after a
   * refresh, was not joined to before: whoever has left a channel stays out.
   */
  join(before: readonly string[] = []): void {
    for (const channel of joinedChannels(this.#pod.catalogue, this.#session.principal!)) {
      if (this.#session.isClosed) return;
      if (before.includes(channel) || this.#find(channel)) continue;
      // One that it may not have after all is none that it is joined to.
      if (this.#canonicalOf(channel) !== undefined) this.subscribe({ kind: 'subscribe', id: JOINED, channel });
    }
  }

  /** After a refresh: every filter by the claims of the new token (I4). */
  resolveAgain(): void {
    for (const subscription of [...this.#all]) {
      // What ends one is sent at once, and may be what the socket breaks by.
      if (this.#session.isClosed) return;
      const resolved = resolveChannel(this.#pod.catalogue, this.#session.principal!, subscription.name);
      if (!resolved.ok) subscription.giveUp(resolved.error);
      else subscription.rebind(resolved.value);
    }
  }

  /** Ends a subscription with a code; a client acts on whether the code is retryable. */
  refuse(subscription: Subscription, code: ErrorCode, id?: number, retryAfterMs?: number): void {
    const { name } = subscription;
    this.#drop(subscription);
    if (id === undefined) {
      count(this.#pod.counters.errors, code);
      this.#session.pushFrame({ kind: 'unsubscribed', channel: name, code });
    } else this.#session.error(code, { id, channel: name, ...(retryAfterMs !== undefined && { retryAfterMs }) });
    this.#session.flush();
  }

  /** The connection is closed. */
  end(): void {
    for (const subscription of this.#all) subscription.end();
    if (this.#session.user) this.#session.user.subscriptions -= this.#all.length;
    this.#all.length = 0;
  }

  // --- turns ---------------------------------------------------------------------------------------------------

  /** Each one that is behind gets one chunk, in turn. True if there is more to do. */
  turn(): boolean {
    this.#letOpen();
    const first = this.#firstForPage;
    this.#firstForPage = undefined;
    let hasMore = first?.turn() ?? false;
    const { length } = this.#all;
    for (let i = 0; i < length; i++) {
      const at = (this.#nextTurn + i) % length;
      if (this.#session.roomBytes <= 0) {
        this.#nextTurn = at;
        // What fills the room now may leave at once: then nothing but this brings the others their turn.
        return true;
      }
      // Subscriptions may end during a turn: the list may have become shorter.
      if (this.#all[at]?.turn()) hasMore = true;
    }
    return hasMore;
  }

  /** One found no room for a page, and there is some now. */
  get isWantingPage(): boolean {
    return this.#firstForPage !== undefined && this.pageRoomBytes > 0;
  }

  // --- cold reads ----------------------------------------------------------------------------------------------

  /** Whether another page from JetStream may be held now. Who finds no room is asked first when there is some. */
  hasRoomForPage(asking: Pumped): boolean {
    // Nor is there any for those behind the first one: what all hold is not summed up again for each of thousands.
    if (this.#firstForPage !== undefined && this.#firstForPage !== asking) return false;
    const hasRoom = this.pageRoomBytes > 0;
    if (!hasRoom) this.#firstForPage = asking;
    return hasRoom;
  }

  /** Pages that wait to be sent count against the room, whichever subscription holds them. */
  get pageRoomBytes(): number {
    return this.#all.reduce((room, { heldBytes }) => room - heldBytes, this.#session.roomBytes);
  }

  /**
   * One cold read at a time per connection, and few per user: twenty channels must not take the budget of a stream at
   * once. `read` runs when it is its turn.
   */
  coldRead(read: () => Promise<void>): void {
    const before = this.#coldReads ?? Promise.resolve();
    const mine = before
      .then(() => this.#withColdSlot(read))
      .catch((error: unknown) => this.#pod.onFault(error, 'cold read'));
    this.#coldReads = mine;
    void mine.then(() => {
      if (this.#coldReads === mine) this.#coldReads = undefined;
      this.#session.requestTurn();
    });
  }

  /** The same for one that opens and waits for what was read: for ever, if the connection is closed before its turn. */
  inTurn<T>(read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.coldRead(() => read().then(resolve, reject)));
  }

  async #withColdSlot(read: () => Promise<void>): Promise<void> {
    const user = this.#session.user!;
    user.coldReads ??= new Places(this.#pod.users.limits.coldReads);
    await user.coldReads.run(async () => {
      if (!this.#session.isClosed) await read();
    });
  }

  /** A socket that takes everything has room for whatever is sent to it at once. */
  get hasRoomToOpen(): boolean {
    return !this.#session.isCongested || this.pageRoomBytes > 0;
  }

  roomToOpen(): Promise<void> {
    return new Promise((resolve) => this.#forRoom.push(resolve));
  }

  /** While the socket is slow one at a time, and before what is to be caught up on takes the room in this turn. */
  #letOpen(): void {
    if (this.#forRoom.length === 0 || !this.hasRoomToOpen) return;
    for (const go of this.#forRoom.splice(0, this.#session.isCongested ? 1 : this.#forRoom.length)) go();
  }

  #find(channel: string | undefined): Subscription | undefined {
    return this.#all.find(({ name }) => name === channel);
  }

  /** What a name stands for by the present token, `feed` for `feed:u-1`. */
  #canonicalOf(channel: string): string | undefined {
    const resolved = this.#resolve(channel);
    return resolved.ok ? resolved.value.channel : undefined;
  }

  #resolve(channel: string): Result<ResolvedChannel, ErrorCode> {
    return resolveChannel(this.#pod.catalogue, this.#session.principal!, this.#lastAsked?.get(channel) ?? channel);
  }

  /** Of the channels whose plain name is the one last asked for. */
  #remember(channel: string): void {
    const prefix = channel.slice(0, channel.indexOf(':'));
    if (this.#pod.catalogue.channels.get(prefix)?.definition.isPlainLastAsked)
      (this.#lastAsked ??= new Map()).set(prefix, channel);
  }

  #drop(subscription: Subscription): void {
    const index = this.#all.indexOf(subscription);
    if (index < 0) return;
    this.#all.splice(index, 1);
    this.#pod.effects?.left(this.#session, subscription.name);
    this.#session.user!.subscriptions--;
    subscription.end();
    // Its pages may be what the others waited for.
    this.#session.requestTurn();
  }
}

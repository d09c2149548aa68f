// One client: handshake, token, subscriptions. Frames in, frames out; knows no socket library and no NATS.
//
//   new ──hello──▶ verifying ──▶ open ──▶ closed        Frames that follow the hello wait, bounded, for the token.
import {
  CLOSE_CODES,
  decodeWire,
  encodeFrame,
  ERRORS,
  MIN_PROTOCOL_VERSION,
  parsePosition,
  parseUp,
  PROTOCOL_VERSION,
  type CloseReason,
  type DownFrame,
  type Encoding,
  type ErrorCode,
  type Hello,
  type Subscribe,
  type UpFrame,
} from '@sluice/schemas';
import type { AuthFault } from '../access/auth.ts';
import { TokenBucket, type User } from '../access/limits.ts';
import { resolveChannel, type Principal } from '../access/permission.ts';
import { Outbox } from '../delivery/outbox.ts';
import type { Pumped } from '../delivery/pump.ts';
import type { Connection, ConnectionHandler, Upgrade } from '../transports/transport.ts';
import { delay } from '../operations/clock.ts';
import type { Appointed } from './agenda.ts';
import { Deadlines } from './deadlines.ts';
import { headsOf } from './heads.ts';
import { count, type Pod } from './pod.ts';
import { Subscription } from './subscription.ts';

/** How soon a cold read looks again whether another connection of its user has finished one. */
const COLD_SLOT_WAIT_MS = 20;
/** Subscribes that may wait for the token. */
const MAX_WAITING_FRAMES = 256;
/** Frames of a client cost microseconds each, a faulty one ten: a message of a megabyte could hold half a million. */
const FRAMES_AT_ONCE = 2_048;
const FRAMES_PER_SECOND = 500;

type Phase = 'new' | 'verifying' | 'open' | 'closed';

/** Who keeps the sessions of the pod. */
export interface SessionHost {
  /** Look at the session at that time, instead of the one before. */
  due(session: Session, atMs: number): void;
  closed(session: Session): void;
}

export class Session implements ConnectionHandler, Pumped, Appointed {
  readonly id: string;
  readonly #pod: Pod;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #host: SessionHost;
  #upgrade: Upgrade | undefined;
  #phase: Phase = 'new';
  #waiting: UpFrame[] = [];
  #unauthenticatedBytes = 0;
  #principal: Principal | undefined;
  #user: User | undefined;
  /** What this socket holds, as counted in the user's sum. */
  #countedBytes = 0;
  /** Of frames, whatever they ask for. */
  #frames: TokenBucket | undefined;
  #subscribes: TokenBucket | undefined;
  readonly #subscriptions: Subscription[] = [];
  /** Whose turn it is among those that are behind. */
  #nextTurn = 0;
  #coldReads: Promise<void> | undefined;
  #isShortOfPageRoom = false;
  /** Kept by the agenda. */
  slot = -1;
  readonly #deadlines: Deadlines;
  /** Counts refreshes: of two good tokens the one that was sent last wins, in whatever order they are verified. */
  #refreshes = 0;
  /** The one that took effect. */
  #refreshed = 0;

  constructor(pod: Pod, connection: Connection, upgrade: Upgrade, id: string, host: SessionHost) {
    this.id = id;
    this.#pod = pod;
    this.#connection = connection;
    this.#upgrade = upgrade;
    this.#outbox = new Outbox(connection, pod.limits.socketBudgetBytes, pod.counters);
    this.#host = host;
    this.#deadlines = new Deadlines(pod.limits, pod.clock.now());
    host.due(this, this.#deadlines.nextMs);
  }

  get encoding(): Encoding {
    return this.#connection.encoding;
  }

  get principal(): Principal | undefined {
    return this.#principal;
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions;
  }

  /** Bytes that may still be added, by the budgets of the socket and of its user. A socket that flows always has room. */
  get roomBytes(): number {
    const own = this.#outbox.roomBytes;
    if (!this.#outbox.isCongested || !this.#user) return own;
    this.#recount();
    return Math.min(own, this.#pod.users.limits.queuedBytes - this.#user.queuedBytes);
  }

  /** Whether another page from JetStream may be held now. Who finds no room gets a turn when there is some. */
  hasRoomForPage(): boolean {
    const hasRoom = this.#pageRoomBytes > 0;
    if (!hasRoom) this.#isShortOfPageRoom = true;
    return hasRoom;
  }

  /** Pages that wait to be sent count against the room, whichever subscription holds them. */
  get #pageRoomBytes(): number {
    return this.#subscriptions.reduce((room, { heldBytes }) => room - heldBytes, this.roomBytes);
  }

  // --- what the transport calls -------------------------------------------------------------------------------

  message(bytes: Uint8Array): void {
    if (this.#phase === 'closed') return;
    this.#deadlines.heard(this.#pod.clock.now());
    if (bytes.length > this.#pod.limits.maxFrameBytes) return this.close('frame_too_large');
    if (this.#phase !== 'open') {
      this.#unauthenticatedBytes += bytes.length;
      if (this.#unauthenticatedBytes > this.#pod.limits.maxUnauthenticatedBytes) return this.close('frame_too_large');
    }
    const decoded = decodeWire(bytes, this.encoding, this.#framesAtOnce);
    if (!decoded.ok) return this.close('bad_frame');
    if (this.#frames?.take(this.#pod.clock.now(), decoded.value.length) === false) return this.close('rate_limited');
    for (const wire of decoded.value) {
      const frame = parseUp(wire);
      if (frame.kind === 'invalid') this.#invalid(frame.message, frame.id);
      else this.#receive(frame);
      if (this.#isClosed) return;
    }
    this.wake();
  }

  drained(): void {
    this.#outbox.drained();
    this.#recount();
    this.requestTurn();
  }

  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    for (const subscription of this.#subscriptions) subscription.end();
    if (this.#user) {
      this.#user.subscriptions -= this.#subscriptions.length;
      this.#user.queuedBytes -= this.#countedBytes;
      this.#pod.users.leave(this.#user);
    }
    this.#subscriptions.length = 0;
    this.#host.closed(this);
  }

  // --- what subscriptions and the pump call -------------------------------------------------------------------

  pushFrame(frame: DownFrame): void {
    if (this.#phase === 'closed') return;
    this.#outbox.push(encodeFrame(frame, this.encoding));
  }

  push(bytes: Uint8Array, ends: readonly number[]): void {
    this.#outbox.push(bytes, ends);
  }

  sendBatch(bytes: Uint8Array): boolean {
    return (!this.#outbox.isCongested || bytes.length <= this.roomBytes) && this.#outbox.trySend(bytes);
  }

  requestTurn(): void {
    this.#pod.pump.request(this);
  }

  /** Each subscription that is behind gets one chunk, in turn; what they wrote leaves together. */
  turn(): boolean {
    if (this.#phase !== 'open') return false;
    let hasMore = false;
    this.#isShortOfPageRoom = false;
    const { length } = this.#subscriptions;
    for (let i = 0; i < length; i++) {
      if (this.roomBytes <= 0) {
        // What fills the room now may leave at once: then nothing but this brings the others their turn.
        hasMore = true;
        break;
      }
      // Subscriptions may end during a turn: the list may have become shorter.
      const subscription = this.#subscriptions[(this.#nextTurn + i) % length];
      if (subscription?.turn()) hasMore = true;
    }
    this.#nextTurn = length > 0 ? (this.#nextTurn + 1) % length : 0;
    this.#outbox.flush();
    if (this.#outbox.isOverHardLimit) this.close('overloaded');
    if (this.#isShortOfPageRoom && this.#pageRoomBytes > 0) hasMore = true;
    return hasMore && this.roomBytes > 0;
  }

  /** After anything that may have written frames: a first turn at once, the others through the pump. */
  wake(): void {
    if (this.#phase === 'open') {
      if (this.turn()) this.requestTurn();
    } else this.#outbox.flush();
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
      this.requestTurn();
    });
  }

  async #withColdSlot(read: () => Promise<void>): Promise<void> {
    const { users, clock } = this.#pod;
    while (!this.#isClosed && this.#user!.coldReads >= users.limits.coldReads) await delay(clock, COLD_SLOT_WAIT_MS);
    if (this.#isClosed) return;
    this.#user!.coldReads++;
    try {
      await read();
    } finally {
      this.#user!.coldReads--;
    }
  }

  #recount(): void {
    const bytes = this.#outbox.bufferedBytes;
    if (this.#user) this.#user.queuedBytes += bytes - this.#countedBytes;
    this.#countedBytes = bytes;
  }

  /** Ends a subscription with a code; a client acts on whether the code is retryable. */
  refuse(subscription: Subscription, code: ErrorCode, id?: number, retryAfterMs?: number): void {
    const { name } = subscription;
    this.#drop(subscription);
    if (id === undefined) {
      count(this.#pod.counters.errors, code);
      this.pushFrame({ kind: 'unsubscribed', channel: name, code });
    } else this.#error(code, { id, channel: name, ...(retryAfterMs !== undefined && { retryAfterMs }) });
    this.#outbox.flush();
  }

  // --- what the gateway calls ---------------------------------------------------------------------------------

  /** Does what is due on this connection. Called when its time in the agenda has come. */
  sweep(nowMs: number): void {
    for (const due of this.#deadlines.take(nowMs, this.#outbox.isCongested)) {
      switch (due) {
        case 'ping':
          this.pushFrame({ kind: 'ping', heads: headsOf(this.#subscriptions) });
          break;
        case 'token_expiring':
          this.pushFrame({ kind: 'token_expiring', inMs: this.#deadlines.expiresInMs(nowMs)! });
          break;
        case 'hello_timeout':
        case 'pong_timeout':
        case 'token_expired':
          return this.close(due);
      }
    }
    this.#host.due(this, this.#deadlines.nextMs);
    this.wake();
  }

  drain(withinMs: number): void {
    this.pushFrame({ kind: 'drain', withinMs });
    this.#outbox.flush();
  }

  close(reason: CloseReason): void {
    if (this.#phase === 'closed') return;
    count(this.#pod.counters.closes, reason);
    this.#outbox.flush();
    this.#connection.close(CLOSE_CODES[reason], reason);
    this.closed();
  }

  // --- frames --------------------------------------------------------------------------------------------------

  // A getter, since the compiler would take the phase for what it was before a call that may have closed.
  get #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  /** Room for every subscribe that the limits allow, and for taking it back. */
  get #framesAtOnce(): number {
    return Math.max(FRAMES_AT_ONCE, 2 * this.#pod.limits.subscribeBurst);
  }

  #receive(frame: UpFrame): void {
    if (this.#phase === 'new') {
      if (frame.kind === 'hello') void this.#hello(frame);
      else if (frame.kind !== 'pong') this.close('hello_expected');
    } else if (this.#phase === 'verifying') {
      if (this.#waiting.length < MAX_WAITING_FRAMES) this.#waiting.push(frame);
      else this.close('rate_limited');
    } else this.#handle(frame);
  }

  #handle(frame: UpFrame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#error('bad_frame', {}, 'hello was said already');
      case 'subscribe':
        return this.#subscribe(frame);
      case 'unsubscribe': {
        const { id, channel } = frame;
        const subscription = this.#subscriptions.find(({ name }) => name === channel);
        if (!subscription) return this.#error('not_subscribed', { id, channel });
        this.#drop(subscription);
        return this.pushFrame({ kind: 'unsubscribed', channel, id });
      }
      case 'auth': {
        const { id, token } = frame;
        const nowMs = this.#pod.clock.now();
        // A signature costs as much as a subscribe, or more.
        if (this.#subscribes!.take(nowMs)) return void this.#refresh(id, token);
        return this.#error('rate_limited', { id, retryAfterMs: this.#subscribes!.waitMs(nowMs) });
      }
      case 'pong':
    }
  }

  async #hello(frame: Hello): Promise<void> {
    this.#phase = 'verifying';
    if (frame.version < MIN_PROTOCOL_VERSION || frame.version > PROTOCOL_VERSION)
      return this.close('unsupported_version');
    const verified = await this.#pod.authenticator.verify(frame.token ?? this.#upgrade?.token);
    this.#upgrade = undefined;
    if (this.#isClosed) return;
    if (!verified.ok) return this.#closeUnverified(verified.error);
    const principal = verified.value;
    const { limits, clock, random, users } = this.#pod;
    const nowMs = clock.now();
    this.#user = users.enter(principal.subject, nowMs);
    if (!this.#user) return this.close('too_many_connections');
    this.#principal = principal;
    this.#phase = 'open';
    this.#subscribes = new TokenBucket({ perSecond: limits.subscribesPerSecond, burst: limits.subscribeBurst }, nowMs);
    const framesPerSecond = Math.max(FRAMES_PER_SECOND, 2 * limits.subscribesPerSecond);
    this.#frames = new TokenBucket({ perSecond: framesPerSecond, burst: this.#framesAtOnce }, nowMs);
    this.#deadlines.open(nowMs, random(), principal.expiresAtMs);
    this.#host.due(this, this.#deadlines.nextMs);
    const expiresInMs = this.#deadlines.expiresInMs(nowMs);
    this.pushFrame({
      kind: 'welcome',
      version: PROTOCOL_VERSION,
      connectionId: this.id,
      pingIntervalMs: limits.pingIntervalMs,
      subject: principal.subject,
      limits: { maxFrameBytes: limits.maxFrameBytes, maxSubscriptions: limits.maxSubscriptions },
      ...(expiresInMs !== undefined && { expiresInMs }),
    });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      this.#handle(each);
      if (this.#isClosed) return;
    }
    this.wake();
  }

  #closeUnverified(fault: AuthFault): void {
    this.#error(fault, {});
    this.close(fault);
  }

  /** A fresh token takes effect at once: every subscription is resolved again, in whatever phase it is (I4). */
  async #refresh(id: number, token: string): Promise<void> {
    const refresh = ++this.#refreshes;
    const verified = await this.#pod.authenticator.verify(token);
    if (this.#isClosed || !this.#principal) return;
    if (!verified.ok) this.#error(verified.error, { id });
    else if (verified.value.subject !== this.#principal.subject) this.#error('subject_mismatch', { id });
    else if (refresh < this.#refreshed) this.pushFrame({ kind: 'ok', id });
    else {
      this.#refreshed = refresh;
      this.#principal = verified.value;
      const nowMs = this.#pod.clock.now();
      this.#deadlines.renew(nowMs, verified.value.expiresAtMs);
      this.#host.due(this, this.#deadlines.nextMs);
      const expiresInMs = this.#deadlines.expiresInMs(nowMs);
      this.pushFrame({ kind: 'ok', id, ...(expiresInMs !== undefined && { expiresInMs }) });
      for (const subscription of [...this.#subscriptions]) this.#resolveAgain(subscription, verified.value);
    }
    this.wake();
  }

  #resolveAgain(subscription: Subscription, principal: Principal): void {
    const resolved = resolveChannel(this.#pod.catalogue, principal, subscription.name);
    if (!resolved.ok) subscription.giveUp(resolved.error);
    else if (resolved.value.id !== subscription.channel.resolved.id) subscription.rebind(resolved.value);
  }

  #subscribe({ id, channel, position: text, first }: Subscribe): void {
    const nowMs = this.#pod.clock.now();
    const user = this.#user!;
    const fail = (code: ErrorCode, retryAfterMs?: number): void =>
      this.#error(code, { id, channel: channel.slice(0, 128), ...(retryAfterMs !== undefined && { retryAfterMs }) });
    for (const bucket of [this.#subscribes!, user.subscribes]) {
      if (!bucket.take(nowMs)) return fail('rate_limited', bucket.waitMs(nowMs));
    }
    const resolved = resolveChannel(this.#pod.catalogue, this.#principal!, channel);
    if (!resolved.ok) return fail(resolved.error);
    if (this.#subscriptions.some(({ name }) => name === resolved.value.channel)) return fail('already_subscribed');
    if (this.#subscriptions.length >= this.#pod.limits.maxSubscriptions) return fail('too_many_subscriptions');
    const position = text === undefined ? undefined : parsePosition(text);
    if (position && !position.ok) return fail('invalid_position');
    if (user.subscriptions >= this.#pod.users.limits.subscriptions) return fail('too_many_subscriptions');
    user.subscriptions++;
    const request = { id, position: position?.value, first };
    const subscription = new Subscription(this, this.#pod, resolved.value, request);
    this.#subscriptions.push(subscription);
    subscription.open();
  }

  #drop(subscription: Subscription): void {
    const index = this.#subscriptions.indexOf(subscription);
    if (index < 0) return;
    this.#subscriptions.splice(index, 1);
    this.#user!.subscriptions--;
    subscription.end();
    // Its pages may be what the others waited for.
    this.requestTurn();
  }

  #invalid(message: string, id: number | undefined): void {
    if (this.#phase !== 'open') return this.close(this.#phase === 'new' ? 'hello_expected' : 'bad_frame');
    this.#error('bad_frame', id === undefined ? {} : { id }, message);
  }

  #error(
    code: ErrorCode,
    about: { readonly id?: number; readonly channel?: string; readonly retryAfterMs?: number },
    message: string = ERRORS[code].help,
  ): void {
    count(this.#pod.counters.errors, code);
    this.pushFrame({ kind: 'error', code, message, ...about });
  }
}

// One client: handshake, token, subscriptions. Frames in, frames out; knows no socket library and no NATS.
//
//   new ──hello──▶ verifying ──▶ open ──▶ closed        Frames that follow the hello wait, bounded, for the token.
import {
  CLOSE_CODES,
  decodeWire,
  encodeFrame,
  ERRORS,
  MIN_PROTOCOL_VERSION,
  parseUp,
  PROTOCOL_VERSION,
  type CloseReason,
  type DownFrame,
  type Encoding,
  type ErrorCode,
  type ErrorFrame,
  type Hello,
  type InvalidFrame,
  type UpFrame,
} from '@sluice/schemas';
import type { AuthFault } from '../access/auth.ts';
import { TokenBucket, type User } from '../access/limits.ts';
import { joinedChannels, type Principal } from '../access/permission.ts';
import type { RequestShare, Sender } from '../commands/commands.ts';
import { Outbox } from '../delivery/outbox.ts';
import type { Pumped } from '../delivery/pump.ts';
import { count } from '../operations/count.ts';
import type { Connection, ConnectionHandler, Upgrade } from '../transports/transport.ts';
import type { Appointed } from './agenda.ts';
import { Deadlines } from './deadlines.ts';
import { headsOf } from './heads.ts';
import type { Pod } from './pod.ts';
import { answerPresenceQuery } from './presence-query.ts';
import type { Subscription } from './subscription.ts';
import { Subscriptions } from './subscriptions.ts';

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

export class Session implements ConnectionHandler, Pumped, Appointed, Sender {
  readonly id: string;
  readonly #pod: Pod;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #host: SessionHost;
  #upgrade: Upgrade | undefined;
  #phase: Phase = 'new';
  #waiting: (UpFrame | InvalidFrame)[] = [];
  #unauthenticatedBytes = 0;
  #principal: Principal | undefined;
  #isJoining = false;
  #user: User | undefined;
  /** What this socket holds, as counted in the user's sum. */
  #countedBytes = 0;
  /** Of frames, whatever they ask for. */
  #frames: TokenBucket | undefined;
  #subscribes: TokenBucket | undefined;
  /** Of commands and calls; most connections make none. */
  #requests: RequestShare | undefined;
  readonly #subscriptions: Subscriptions;
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
    this.#subscriptions = new Subscriptions(this, pod);
    host.due(this, this.#deadlines.nextMs);
  }

  get encoding(): Encoding {
    return this.#connection.encoding;
  }

  get principal(): Principal | undefined {
    return this.#principal;
  }

  get user(): User | undefined {
    return this.#user;
  }

  // A getter, since the compiler would take the phase for what it was before a call that may have closed.
  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions.all;
  }

  /** The socket has not taken all that it was sent. */
  get isCongested(): boolean {
    return this.#outbox.isCongested;
  }

  /** Bytes that may still be added, by the budgets of the socket and of its user. A socket that flows always has room. */
  get roomBytes(): number {
    const own = this.#outbox.roomBytes;
    if (!this.#outbox.isCongested || !this.#user) return own;
    this.#recount();
    return Math.min(own, this.#pod.users.limits.queuedBytes - this.#user.queuedBytes);
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
    // Before they are read, which is what costs.
    if (this.#user?.receivedBytes.take(this.#pod.clock.now(), bytes.length) === false)
      return this.close('rate_limited');
    const decoded = decodeWire(bytes, this.encoding, this.#framesAtOnce);
    if (!decoded.ok) return this.close('bad_frame');
    if (this.#frames?.take(this.#pod.clock.now(), decoded.value.length) === false) return this.close('rate_limited');
    for (const wire of decoded.value) {
      this.#receive(parseUp(wire));
      if (this.isClosed) return;
    }
    this.wake();
  }

  drained(): void {
    // Whoever takes what is sent is there, and has nothing to answer: a socket that is congested gets no pings.
    this.#deadlines.heard(this.#pod.clock.now());
    this.#outbox.drained();
    this.#recount();
    this.requestTurn();
  }

  closed(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#pod.effects?.ended(this);
    this.#subscriptions.end();
    if (this.#user) {
      this.#user.queuedBytes -= this.#countedBytes;
      // Whoever closed it may ask for its room once more.
      this.#countedBytes = 0;
      this.#pod.users.leave(this.#user, this.#pod.clock.now());
    }
    this.#host.closed(this);
  }

  // --- what subscriptions and the pump call -------------------------------------------------------------------

  pushFrame(frame: DownFrame): void {
    if (this.#phase === 'closed') return;
    this.#outbox.push(encodeFrame(frame, this.encoding));
  }

  pushEvents(bytes: Uint8Array, ends: readonly number[]): void {
    this.#outbox.pushEvents(bytes, ends);
  }

  sendBatch(bytes: Uint8Array): boolean {
    return (!this.#outbox.isCongested || bytes.length <= this.roomBytes) && this.#outbox.trySend(bytes);
  }

  /** What is worth nothing later gives way to everything else. */
  sendPassing(bytes: Uint8Array): boolean {
    return !this.#outbox.isCongested && this.#outbox.trySend(bytes);
  }

  requestTurn(): void {
    this.#pod.pump.request(this);
  }

  /** Those that are behind get a chunk each; what they wrote leaves together. */
  turn(): boolean {
    if (this.#phase !== 'open') return false;
    const hasMore = this.#subscriptions.turn();
    this.#outbox.flush();
    if (this.#outbox.isOverHardLimit) this.close('overloaded');
    return (hasMore || this.#subscriptions.isWantingPage) && this.roomBytes > 0;
  }

  /** After anything that may have written frames: a first turn at once, the others through the pump. */
  wake(): void {
    if (this.#phase === 'open') {
      if (this.turn()) this.requestTurn();
    } else this.#outbox.flush();
  }

  #recount(): void {
    const bytes = this.#outbox.bufferedBytes;
    if (this.#user) this.#user.queuedBytes += bytes - this.#countedBytes;
    this.#countedBytes = bytes;
  }

  flush(): void {
    this.#outbox.flush();
  }

  /** Takes from the buckets that subscribes of this connection and of its user share; how long to wait if one is empty. */
  waitToSubscribeMs(): number {
    const nowMs = this.#pod.clock.now();
    const empty = [this.#subscribes!, this.#user!.subscribes].find((bucket) => !bucket.take(nowMs));
    return empty?.waitMs(nowMs) ?? 0;
  }

  error(
    code: ErrorCode,
    about: Partial<Pick<ErrorFrame, 'id' | 'channel' | 'retryAfterMs' | 'refusal'>>,
    message: string = ERRORS[code].help,
  ): void {
    count(this.#pod.counters.errors, code);
    this.pushFrame({ kind: 'error', code, message, ...about });
  }

  // --- what the gateway calls ---------------------------------------------------------------------------------

  /** Does what is due on this connection. Called when its time in the agenda has come. */
  sweep(nowMs: number): void {
    for (const due of this.#deadlines.take(nowMs, this.#outbox.isCongested)) {
      switch (due) {
        case 'ping':
          this.pushFrame({ kind: 'ping', heads: headsOf(this.#subscriptions.all) });
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

  /** What is due is due as soon as before; but for the token's end, which is a time of the clock. */
  clockWasSetBack(byMs: number): void {
    this.#deadlines.setBack(byMs);
    this.#host.due(this, this.#deadlines.nextMs);
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

  /** Room for every subscribe that the limits allow, and for taking it back. */
  get #framesAtOnce(): number {
    return Math.max(FRAMES_AT_ONCE, 2 * this.#pod.limits.subscribeBurst);
  }

  #receive(frame: UpFrame | InvalidFrame): void {
    if (this.#phase === 'new') {
      if (frame.kind === 'hello') this.#await(this.#hello(frame));
      else if (frame.kind !== 'pong') this.close('hello_expected');
    } else if (this.#phase === 'verifying') {
      if (this.#waiting.length < MAX_WAITING_FRAMES) this.#waiting.push(frame);
      else this.close('rate_limited');
    } else this.#handle(frame);
  }

  #handle(frame: UpFrame | InvalidFrame): void {
    switch (frame.kind) {
      case 'invalid':
        return this.error('bad_frame', frame.id === undefined ? {} : { id: frame.id }, frame.message);
      case 'hello':
        return this.error('bad_frame', {}, 'hello was said already');
      case 'subscribe':
        return this.#subscriptions.subscribe(frame);
      case 'unsubscribe':
        return this.#subscriptions.unsubscribe(frame);
      case 'auth': {
        const { id, token } = frame;
        const nowMs = this.#pod.clock.now();
        // A signature costs as much as a subscribe, or more.
        if (this.#subscribes!.take(nowMs)) return this.#await(this.#refresh(id, token));
        return this.error('rate_limited', { id, retryAfterMs: this.#subscribes!.waitMs(nowMs) });
      }
      case 'command':
        return this.#pod.commands.command(this, (this.#requests ??= this.#pod.commands.createShare()), frame);
      case 'call':
        return this.#pod.commands.call(this, (this.#requests ??= this.#pod.commands.createShare()), frame);
      case 'presence_query':
        return this.#await(answerPresenceQuery(this, this.#subscriptions, this.#pod, frame));
      case 'pong':
    }
  }

  /** What the transport does for frames that are handled at once: a fault ends the connection, and nothing else. */
  #await(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#pod.onFault(error, 'session');
      this.close('internal');
    });
  }

  async #hello(frame: Hello): Promise<void> {
    this.#phase = 'verifying';
    if (frame.version < MIN_PROTOCOL_VERSION || frame.version > PROTOCOL_VERSION)
      return this.close('unsupported_version');
    const verified = await this.#pod.authenticator.verify(frame.token ?? this.#upgrade?.token);
    this.#upgrade = undefined;
    if (this.isClosed) return;
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
      if (this.isClosed) return;
    }
    this.#isJoining = frame.isJoining === true;
    if (this.#isJoining) this.#subscriptions.join();
    this.wake();
  }

  #closeUnverified(fault: AuthFault): void {
    this.error(fault, {});
    this.close(fault);
  }

  /** A fresh token takes effect at once: every subscription is resolved again, in whatever phase it is (I4). */
  async #refresh(id: number, token: string): Promise<void> {
    const refresh = ++this.#refreshes;
    const verified = await this.#pod.authenticator.verify(token);
    if (this.isClosed || !this.#principal) return;
    if (!verified.ok) this.error(verified.error, { id });
    else if (verified.value.subject !== this.#principal.subject) this.error('subject_mismatch', { id });
    else if (refresh < this.#refreshed) this.pushFrame({ kind: 'ok', id });
    else {
      this.#refreshed = refresh;
      const joinedBefore = joinedChannels(this.#pod.catalogue, this.#principal);
      this.#principal = verified.value;
      const nowMs = this.#pod.clock.now();
      this.#deadlines.renew(nowMs, verified.value.expiresAtMs);
      this.#host.due(this, this.#deadlines.nextMs);
      const expiresInMs = this.#deadlines.expiresInMs(nowMs);
      this.pushFrame({ kind: 'ok', id, ...(expiresInMs !== undefined && { expiresInMs }) });
      this.#subscriptions.resolveAgain();
      if (this.#isJoining) this.#subscriptions.join(joinedBefore);
    }
    this.wake();
  }
}

// One subscription: a cursor per stream on the log. Live, catching up and resuming are distances from the head, not
// mechanisms:
//
//   opening ──▶ catching up ──▶ live        waiting: the position lies past this pod's head
//      ▲  ▲        │  ▲          │
//      │  └ waiting│  └──────────┘ over the socket's budget: goes on from what was sent last
//      └───────────┴──── reset: first events again
//
// Each way back to opening starts a new run; what an older run still waits for is ignored when it comes (I4).
import type { Encoding, ErrorCode, FirstEvents, Position, PositionEntry, ResetReason } from '@sluice/schemas';
import type { GrantDenial, GrantHold, GrantHolder } from '../access/grants.ts';
import type { ResolvedChannel } from '../access/permission.ts';
import type { Cursor } from '../delivery/catch-up.ts';
import type { ChannelStream, LiveChannel, LiveSubscriber } from '../delivery/live-channel.ts';
import type { Cold } from '../log/cold.ts';
import { count } from '../operations/count.ts';
import { Ahead } from './ahead.ts';
import { Behind, type Pursuer } from './behind.ts';
import { cursorsFrom, headPositionOf, liveCursors, positionOf, refsOf } from './cursors.ts';
import { OpeningReads } from './opening-reads.ts';
import { matchEntries, openAtPosition, openWithFirst, type Opened, type StreamStart } from './opening.ts';
import type { Pod } from './pod.ts';
import type { Session } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

/** A client is better off asking again, perhaps another pod, than waiting longer than this without progress. */
const PATIENCE_MS = 10_000;

type Phase = 'opening' | 'waiting' | 'catching_up' | 'live' | 'ended';

type Opening = () => Opened | Promise<Opened>;
type Announce = (starts: readonly StreamStart[]) => void;

export interface SubscribeRequest {
  readonly id: number;
  readonly position: Position | undefined;
  readonly first: FirstEvents | undefined;
}

export class Subscription implements LiveSubscriber, GrantHolder, Pursuer {
  liveIndex = -1;
  phase: Phase = 'opening';
  channel: LiveChannel;
  readonly #session: Session;
  readonly #siblings: Subscriptions;
  readonly #pod: Pod;
  /** The request until it is answered by `subscribed`; afterwards only its choice of first events matters. */
  #request: SubscribeRequest;
  #isAnswered = false;
  #isLiveTold = false;
  /** A reset that the client has yet to be told, together with where its first events start. */
  #untoldReset: { readonly reason: ResetReason; readonly from?: number } | undefined;
  #run = 0;
  /** While catching up. */
  #behind: Behind | undefined;
  /** Since when nothing has moved; 0 while all is well. */
  #stuckSinceMs = 0;
  /** The membership that this rests on, where it takes one. */
  #hold: GrantHold | undefined;
  /** Takes the user off those who are on the channel, where others may ask. */
  #unattend: (() => void) | undefined;
  /** Nothing is opened and nothing handed out until the grant is confirmed (I4). */
  #isSuspended = false;
  /** While waiting: what for. */
  #ahead: Ahead | undefined;

  constructor(
    session: Session,
    siblings: Subscriptions,
    pod: Pod,
    resolved: ResolvedChannel,
    request: SubscribeRequest,
  ) {
    this.#session = session;
    this.#siblings = siblings;
    this.#pod = pod;
    this.#request = request;
    this.channel = pod.channels.acquire(resolved);
  }

  get encoding(): Encoding {
    return this.#session.encoding;
  }

  get user(): string {
    return this.#session.principal!.subject;
  }

  get name(): string {
    return this.channel.resolved.channel;
  }

  /** It was let in, and may be told now what is on the channel. */
  get isAdmitted(): boolean {
    return this.#isAnswered && !this.#isSuspended && this.phase !== 'ended';
  }

  /** Begins at the request's position if there is one and the log agrees with it, else with first events. */
  open(): void {
    if (this.#isSuspended) return void this.#begin();
    const { position } = this.#request;
    if (!position) return this.#openWithFirst();
    if (position.key !== this.channel.resolved.key) return this.reset('filters_changed');
    const entries = matchEntries(this.channel.streams, position);
    if (entries === 'new_stream') return this.reset('new_stream');
    this.#openAt(entries);
  }

  /** Drops everything the client has and starts again with first events. */
  reset(reason: ResetReason, from?: number): void {
    // One that was not let in yet has nothing to reset; it begins when it is.
    if (this.phase === 'ended' || (this.#isSuspended && !this.#isAnswered)) return;
    count(this.#pod.counters.resets, reason);
    this.#leaveLive();
    if (!this.#isAnswered) this.#answer(false, []);
    this.#untoldReset = { reason, ...(from !== undefined && { from }) };
    this.#stuckSinceMs = 0;
    this.#openWithFirst();
  }

  /** The token grants the channel under these filters and on these grounds now. */
  rebind(resolved: ResolvedChannel): void {
    // Before anything is opened under other filters, and after what was suspended has been rid of the old ones.
    if (resolved.grant !== undefined && !this.restOn(resolved.grant)) return this.denied('grants_unavailable');
    if (resolved.id !== this.channel.resolved.id) {
      this.#leaveLive();
      this.#pod.channels.release(this.channel);
      this.channel = this.#pod.channels.acquire(resolved);
      if (this.#isAnswered) this.reset('filters_changed');
      else this.open();
    }
    if (resolved.grant === undefined) this.restOn(undefined);
  }

  // --- membership ----------------------------------------------------------------------------------------------

  /** Takes a grant from now on, or none. False if memberships cannot be read now. */
  restOn(grant: string | undefined): boolean {
    if (grant === this.#hold?.grant) return true;
    this.#hold?.release();
    this.#hold = undefined;
    if (grant === undefined) this.granted();
    else {
      this.suspended();
      this.#hold = this.#pod.grants?.hold(grant, this);
    }
    return grant === this.#hold?.grant;
  }

  granted(): void {
    if (!this.#isSuspended || this.phase === 'ended') return;
    this.#isSuspended = false;
    if (this.phase !== 'catching_up') this.#reopen();
    this.#session.wake();
  }

  suspended(): void {
    if (this.#isSuspended || this.phase === 'ended') return;
    this.#isSuspended = true;
    if (this.phase === 'live') {
      const cursors = liveCursors(this.channel);
      this.#leaveLive();
      this.#catchUp(cursors);
    } else if (this.phase !== 'catching_up') this.#begin();
  }

  denied(code: GrantDenial): void {
    this.giveUp(code, code === 'grants_unavailable' ? 1_000 : undefined);
  }

  end(): void {
    if (this.phase === 'ended') return;
    this.#leaveLive();
    this.#hold?.release();
    this.#unattend?.();
    this.phase = 'ended';
    this.#pod.waiting.delete(this);
    this.#run++;
    this.#leaveBehind();
    this.#pod.channels.release(this.channel);
  }

  deliver(bytes: Uint8Array, events: number): boolean {
    if (!this.#session.sendBatch(bytes)) return false;
    this.#pod.counters.delivered += events;
    return true;
  }

  deliverPassing(bytes: Uint8Array): boolean {
    return this.#session.sendPassing(bytes);
  }

  /** The channel has taken this subscription off its live ones. */
  fallBehind(cursors: readonly number[]): void {
    this.#pod.counters.fellBehind++;
    this.#catchUp(cursors.map((after) => ({ after })));
  }

  /** At or below this sequence of a stream of the channel nothing is owed; undefined while that is not known. */
  settled(stream: number): number | undefined {
    return this.phase === 'live' ? this.channel.settled(stream) : this.#behind?.settled(stream);
  }

  /** Bytes that were read from JetStream and have not been sent. */
  get heldBytes(): number {
    return this.#behind?.heldBytes ?? 0;
  }

  /** One chunk, if there is one and the socket has room. True if there is more to do right away. */
  turn(): boolean {
    return !this.#isSuspended && this.#session.roomBytes > 0 && this.#behind?.turn() === true;
  }

  /** Polled while waiting: has the pod got there, or does the stream really end before the position? */
  poll(nowMs: number): void {
    if (this.phase !== 'waiting' || !this.#ahead) return;
    const seen = this.#ahead.look(this.#stuckSinceMs);
    if (seen === 'past_end') return this.reset('ahead');
    if (seen === 'reached') {
      this.open();
      return this.#session.wake();
    }
    if (nowMs - this.#stuckSinceMs > PATIENCE_MS) this.giveUp('behind', 1_000);
  }

  // --- what happens while it is behind --------------------------------------------------------------------------

  moved(): void {
    this.#stuckSinceMs = 0;
  }

  goLive(): void {
    this.#leaveBehind();
    this.phase = 'live';
    this.#pod.channels.join(this.channel, this);
    if (this.#isLiveTold) return;
    this.#isLiveTold = true;
    this.#session.pushFrame({ kind: 'live', channel: this.name, position: headPositionOf(this.channel) });
  }

  /** Tries again later, but not for ever: without progress the client is told to come back. */
  later(code: ErrorCode, afterMs: number, again: () => void): void {
    const nowMs = this.#pod.clock.now();
    this.#stuckSinceMs ||= nowMs;
    if (nowMs - this.#stuckSinceMs > PATIENCE_MS) return this.giveUp(code, 1_000);
    const run = this.#run;
    this.#pod.clock.setTimeout(() => {
      if (run === this.#run && this.phase !== 'ended') again();
    }, afterMs);
  }

  fail(error: unknown): void {
    this.#pod.onFault(error, 'subscription');
    this.giveUp('internal', 1_000);
    this.#session.wake();
  }

  /** Ends with a code: as the answer to the request if that is still owed, else as the gateway's own doing. */
  giveUp(code: ErrorCode, retryAfterMs?: number): void {
    this.#siblings.refuse(this, code, this.#isAnswered ? undefined : this.#request.id, retryAfterMs);
  }

  // --- opening --------------------------------------------------------------------------------------------------

  #wait({ tail }: ChannelStream, sequence: number): void {
    this.phase = 'waiting';
    this.#pod.waiting.add(this);
    this.#stuckSinceMs ||= this.#pod.clock.now();
    if (!this.#ahead?.isAbout(tail, sequence)) this.#ahead = new Ahead(tail, sequence, this.#pod);
  }

  #openAt(entries: readonly (PositionEntry | undefined)[]): void {
    const run = this.#begin();
    const cold = this.#openingReads(run);
    const openings = this.channel.streams.map((stream, index) => {
      const entry = entries[index];
      return () => (entry ? openAtPosition(stream, entry, cold, this.#pod.readThrough) : this.#first(stream, cold));
    });
    this.#settle(openings, run, (starts) => {
      const recovered = entries.every((entry) => entry !== undefined);
      if (recovered) this.#pod.counters.recovered++;
      this.#answer(recovered, starts);
    });
  }

  #openWithFirst(): void {
    const run = this.#begin();
    if (this.#isSuspended) return;
    const cold = this.#openingReads(run);
    const openings = this.channel.streams.map((stream) => () => this.#first(stream, cold));
    this.#settle(openings, run, (starts) => {
      const reset = this.#untoldReset;
      if (!reset) return this.#answer(false, starts);
      this.#untoldReset = undefined;
      this.#isLiveTold = false;
      this.#session.pushFrame({
        kind: 'reset',
        channel: this.name,
        ...reset,
        streams: refsOf(this.channel),
        position: positionOf(this.channel, starts),
      });
    });
  }

  #begin(): number {
    this.#pod.waiting.delete(this);
    this.phase = 'opening';
    this.#leaveBehind();
    return ++this.#run;
  }

  #openingReads(run: number): Cold {
    return new OpeningReads(this.#pod, this.#session.user!, this.#siblings, () => run !== this.#run);
  }

  #first(stream: ChannelStream, cold: Cold): Opened | Promise<Opened> {
    const { first = this.channel.resolved.first } = this.#request;
    const { catalogue, limits, endings } = this.#pod;
    return openWithFirst(stream, first, {
      cold,
      families: catalogue.families,
      maxStates: limits.maxStates,
      endings: this.channel.resolved.omitsEnded ? endings : undefined,
    });
  }

  /**
   * Starts at once if every stream knows its start, so that a storm of resumes costs no promises. A stream that cannot
   * answer is asked again by itself: in an election the others have enough to answer.
   */
  #settle(openings: readonly Opening[], run: number, announce: Announce, before: readonly Opened[] = []): void {
    const opened = openings.map((open, stream) => {
      const known = before[stream];
      return known?.kind === 'start' ? known : open();
    });
    const conclude = (all: readonly Opened[]): void =>
      this.#conclude(all, announce, () => this.#settle(openings, run, announce, all));
    if (opened.every((each): each is Opened => !(each instanceof Promise))) conclude(opened);
    else {
      void Promise.all(opened.map((each) => Promise.resolve(each))).then(
        (all) => {
          if (run !== this.#run) return;
          conclude(all);
          this.#session.wake();
        },
        (error: unknown) => {
          if (run === this.#run) this.fail(error);
          else this.#pod.onFault(error, 'subscription');
        },
      );
    }
  }

  #conclude(opened: readonly Opened[], announce: Announce, again: () => void): void {
    const starts: StreamStart[] = [];
    for (const [stream, each] of opened.entries()) {
      switch (each.kind) {
        case 'reset':
          return this.reset(each.reason);
        case 'ahead':
          return this.#wait(this.channel.streams[stream]!, each.sequence);
        case 'retry':
          return this.later(each.code, each.afterMs, again);
        case 'start':
          starts.push(each.start);
      }
    }
    announce(starts);
    this.#stuckSinceMs = 0;
    this.#ahead = undefined;
    this.#catchUp(cursorsFrom(starts));
    this.#session.requestTurn();
  }

  /** An answered subscription has been reset or is new: both begin with first events. */
  #reopen(): void {
    if (this.#isAnswered) this.#openWithFirst();
    else this.open();
  }

  #catchUp(cursors: Cursor[]): void {
    this.phase = 'catching_up';
    this.#behind = new Behind(this, this.#session, this.#siblings, this.#pod, cursors);
  }

  #leaveBehind(): void {
    this.#behind?.end();
    this.#behind = undefined;
  }

  #leaveLive(): void {
    if (this.liveIndex >= 0) this.#pod.channels.leave(this.channel, this);
  }

  #answer(recovered: boolean, starts: readonly StreamStart[]): void {
    this.#isAnswered = true;
    this.#unattend ??= this.#pod.presence?.attend(this.name, this.user);
    const { id } = this.#request;
    // The position has served its purpose; keeping it would cost memory on every idle connection.
    this.#request = { id, position: undefined, first: this.#request.first };
    const position = positionOf(this.channel, starts);
    this.#session.pushFrame({
      kind: 'subscribed',
      id,
      channel: this.name,
      streams: refsOf(this.channel),
      position,
      recovered,
    });
  }
}

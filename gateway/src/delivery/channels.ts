// Who is live on which filter, and when batches go out. A quiet channel is flushed at the end of the tick in which its
// event arrived; a busy one at most once per flush interval, so that one write carries many events. A busy pod goes
// through its quiet channels in bursts: writes that follow each other find their receivers' machines (and the kernel's
// caches) awake, which takes a third off the cost of each. Conflated events alone do not make a channel busy: they wait
// for their own, longer interval, and leave with whatever leaves before.
import type { ResolvedChannel } from '../access/permission.ts';
import type { Segment } from '../log/segment.ts';
import type { Tail } from '../log/tail.ts';
import type { Clock, TimerHandle } from '../operations/clock.ts';
import { BatchPool } from './batch.ts';
import type { Conflation } from './conflation.ts';
import type { Ephemeral } from './ephemeral.ts';
import type { EventWriter } from './event-writer.ts';
import { LiveChannel, type LiveSubscriber } from './live-channel.ts';
import type { Routes } from './routes.ts';

export interface ChannelsOptions {
  readonly tails: ReadonlyMap<string, Tail>;
  readonly routes: Routes;
  readonly writer: EventWriter;
  readonly conflation: Conflation;
  /** Absent where the catalogue has no ephemeral type. */
  readonly ephemeral?: Ephemeral | undefined;
  readonly clock: Clock;
  readonly flushIntervalMs: number;
  /** A batch this large is flushed at once: a backlog must go out in pieces that fit a socket's budget. */
  readonly maxBatchBytes: number;
  /** Runs the callback after the input at hand has been read, before the process sleeps (setImmediate). */
  readonly atEndOfTick: (callback: () => void) => void;
}

/** Bursts come no closer than this. Timers of Node have no finer grain. */
const BURST_INTERVAL_MS = 1;

export class Channels {
  readonly #options: ChannelsOptions;
  /** By the full id of the resolved channel, never by name: two users' channels may share a name. */
  readonly #channels = new Map<string, LiveChannel>();
  /** Channels with live subscribers, by filter. One channel is the usual case and needs no set; all users' may share one. */
  readonly #byFilter = new Map<string, LiveChannel | Set<LiveChannel>>();
  readonly #scratch: string[] = [];
  readonly #batches = new BatchPool();
  #dirty: LiveChannel[] = [];
  #isTickScheduled = false;
  #lastTickMs = 0;
  /** Busy channels, in the order in which their interval ends. */
  #waiting: LiveChannel[] = [];
  #timer: TimerHandle | undefined;
  /** Channels that hold conflated events and nothing else, until when. */
  readonly #holding = new Map<LiveChannel, { readonly timer: TimerHandle; readonly dueMs: number }>();
  #nextRef = 1;
  flushCount = 0;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#channels.size;
  }

  /** The pod's one object for a resolved channel; every `acquire` needs a `release`. */
  acquire(resolved: ResolvedChannel): LiveChannel {
    let channel = this.#channels.get(resolved.id);
    if (!channel) {
      const streams = resolved.streams.map(({ stream, filters }) => ({
        tail: this.#options.tails.get(stream)!,
        filters,
        ref: this.#nextRef++,
      }));
      channel = new LiveChannel(resolved, streams);
      this.#channels.set(resolved.id, channel);
    }
    channel.subscriptionCount++;
    return channel;
  }

  release(channel: LiveChannel): void {
    if (--channel.subscriptionCount === 0) this.#channels.delete(channel.resolved.id);
  }

  /** The subscriber has read every stream of the channel to its head in this very tick: from here on it is live. */
  join(channel: LiveChannel, subscriber: LiveSubscriber): void {
    // What is pending has been read from the tail already: the others get it now, so that nobody gets it twice.
    this.flush(channel);
    if (channel.liveCount === 0) this.#listen(channel);
    channel.join(subscriber);
  }

  leave(channel: LiveChannel, subscriber: LiveSubscriber): void {
    channel.leave(subscriber);
    if (channel.liveCount === 0) this.#unlisten(channel);
  }

  /** An event has been appended to a tail. Hot: called once per stored event. */
  publish(tail: Tail, segment: Segment, number: number): void {
    if (this.#byFilter.size === 0) return;
    const filters = this.#scratch;
    const slots = this.#options.routes.heardFiltersOf(segment.subjects[number]!, filters);
    let everyMs = -1;
    for (let slot = 0; slot < slots; slot++) {
      const filter = filters[slot]!;
      if (filter === '') continue;
      const listeners = this.#byFilter.get(filter);
      if (listeners === undefined) continue;
      if (everyMs < 0) everyMs = this.#everyMs(segment, number);
      if (listeners instanceof Set)
        for (const channel of listeners) this.#take(channel, tail, segment, number, everyMs);
      else this.#take(listeners, tail, segment, number, everyMs);
    }
  }

  flush(channel: LiveChannel): void {
    if (channel.pendingCount === 0) return;
    if (this.#holding.size > 0) this.#stopHolding(channel);
    this.flushCount++;
    channel.flush(this.#options.writer, this.#options.clock.now(), this.#batches);
    if (channel.liveCount === 0) this.#unlisten(channel);
  }

  /** Every channel that draws on this tail. */
  *of(tail: Tail): Generator<LiveChannel> {
    for (const channel of this.#channels.values()) {
      if (channel.streams.some((stream) => stream.tail === tail)) yield channel;
    }
  }

  close(): void {
    this.#options.clock.clear(this.#timer);
    for (const { timer } of this.#holding.values()) this.#options.clock.clear(timer);
    this.#holding.clear();
  }

  #everyMs(segment: Segment, number: number): number {
    const { conflation } = this.#options;
    return conflation.isEmpty ? 0 : conflation.everyMs(segment.subjects[number]!);
  }

  #take(channel: LiveChannel, tail: Tail, segment: Segment, number: number, everyMs: number): void {
    if (everyMs > 0) this.#hold(channel, tail, segment, number, everyMs);
    else this.#add(channel, tail, segment, number);
  }

  #hold(channel: LiveChannel, tail: Tail, segment: Segment, number: number, everyMs: number): void {
    const { clock, conflation, maxBatchBytes } = this.#options;
    channel.hold(tail, segment, number, this.#batches, conflation);
    if (channel.pendingBytes >= maxBatchBytes) return this.flush(channel);
    // Nothing to send, or about to be sent together with something else.
    if (channel.pendingCount === 0 || channel.isDirty) return;
    const nowMs = clock.now();
    const sinceMs = nowMs - channel.lastFlushMs;
    // The first one after a while goes out at once, as does any after the clock was set back.
    if (sinceMs < 0 || sinceMs >= everyMs) return this.#markDirty(channel);
    const dueMs = channel.lastFlushMs + everyMs;
    const holding = this.#holding.get(channel);
    if (holding && holding.dueMs <= dueMs) return;
    clock.clear(holding?.timer);
    const timer = clock.setTimeout(() => this.flush(channel), dueMs - nowMs);
    this.#holding.set(channel, { timer, dueMs });
  }

  #stopHolding(channel: LiveChannel): void {
    const holding = this.#holding.get(channel);
    if (!holding) return;
    this.#options.clock.clear(holding.timer);
    this.#holding.delete(channel);
  }

  #add(channel: LiveChannel, tail: Tail, segment: Segment, number: number): void {
    channel.add(tail, segment, number, this.#batches);
    if (channel.pendingBytes >= this.#options.maxBatchBytes) this.flush(channel);
    else if (!channel.isDirty) this.#markDirty(channel);
  }

  #markDirty(channel: LiveChannel): void {
    channel.isDirty = true;
    this.#dirty.push(channel);
    if (this.#isTickScheduled) return;
    this.#isTickScheduled = true;
    if (this.#options.clock.now() - this.#lastTickMs > BURST_INTERVAL_MS) {
      this.#options.atEndOfTick(() => this.#endTick());
    } else this.#options.clock.setTimeout(() => this.#endTick(), BURST_INTERVAL_MS);
  }

  #endTick(): void {
    this.#isTickScheduled = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    const nowMs = this.#options.clock.now();
    this.#lastTickMs = nowMs;
    for (const channel of dirty) {
      if (this.#isTooSoon(channel, nowMs)) this.#waiting.push(channel);
      else {
        channel.isDirty = false;
        this.flush(channel);
      }
    }
    if (this.#waiting.length > 0 && this.#timer === undefined) this.#armTimer(nowMs);
  }

  #armTimer(nowMs: number): void {
    const { flushIntervalMs, clock } = this.#options;
    const dueMs = this.#waiting[0]!.lastFlushMs + flushIntervalMs;
    const waitMs = Math.min(flushIntervalMs, Math.max(1, dueMs - nowMs));
    this.#timer = clock.setTimeout(() => this.#flushDue(), waitMs);
  }

  /** A clock that was set back says nothing about the interval: it must not stop a channel for as long. */
  #isTooSoon(channel: LiveChannel, nowMs: number): boolean {
    const sinceMs = nowMs - channel.lastFlushMs;
    return sinceMs >= 0 && sinceMs < this.#options.flushIntervalMs;
  }

  #flushDue(): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.now();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const channel of waiting) {
      // One that was flushed meanwhile because its batch was full has a new interval to wait for.
      if (channel.pendingCount > 0 && this.#isTooSoon(channel, nowMs)) {
        this.#waiting.push(channel);
        continue;
      }
      channel.isDirty = false;
      this.flush(channel);
    }
    if (this.#waiting.length > 0) this.#armTimer(nowMs);
  }

  #listen(channel: LiveChannel): void {
    channel.isHeard = true;
    if (channel.ephemeral.length > 0) this.#options.ephemeral?.listen(channel);
    for (const { filters } of channel.streams) {
      for (const filter of filters) {
        this.#options.routes.listen(filter);
        const listeners = this.#byFilter.get(filter);
        if (listeners === undefined) this.#byFilter.set(filter, channel);
        else if (listeners instanceof Set) listeners.add(channel);
        else this.#byFilter.set(filter, new Set([listeners, channel]));
      }
    }
  }

  #unlisten(channel: LiveChannel): void {
    if (!channel.isHeard) return;
    channel.isHeard = false;
    if (channel.ephemeral.length > 0) this.#options.ephemeral?.unlisten(channel);
    for (const { filters } of channel.streams) {
      for (const filter of filters) {
        this.#options.routes.unlisten(filter);
        const listeners = this.#byFilter.get(filter);
        if (!(listeners instanceof Set)) {
          if (listeners === channel) this.#byFilter.delete(filter);
          continue;
        }
        listeners.delete(channel);
        if (listeners.size > 1) continue;
        const [last] = listeners;
        this.#byFilter.set(filter, last!);
      }
    }
  }
}

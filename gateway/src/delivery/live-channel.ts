// One resolved channel with its subscribers on this pod, and the batch of events that its live ones have yet to get.
// There is no buffer per client: a flush frames the batch once per encoding and hands every live socket the same bytes.
import type { Encoding } from '@sluice/schemas';
import type { ResolvedChannel } from '../access/permission.ts';
import type { Segment } from '../log/segment.ts';
import type { Tail } from '../log/tail.ts';
import type { Batch, BatchPool } from './batch.ts';
import type { Conflation } from './conflation.ts';
import type { EventWriter } from './event-writer.ts';

/** One stream of a channel. */
export interface ChannelStream {
  readonly tail: Tail;
  readonly filters: readonly string[];
  /** The integer by which event frames name this stream of this channel. */
  readonly ref: number;
}

/** A live subscription, as far as the batch is concerned. */
export interface LiveSubscriber {
  readonly encoding: Encoding;
  /** The `sub` of whose subscription it is: what a user causes in passing is not sent back to the user. */
  readonly user: string;
  /** Index in the channel's list; kept by the channel. -1 while not live. */
  liveIndex: number;
  /** Sends the bytes, or returns false and sends nothing: the socket is over its budget. */
  deliver(bytes: Uint8Array, events: number): boolean;
  /** Sends what only passes by; false if the socket has something else to send first. */
  deliverPassing(bytes: Uint8Array): boolean;
  /** Not live any more: goes on from these cursors, one per stream, at its own pace. */
  fallBehind(cursors: readonly number[]): void;
}

const NOBODY: readonly LiveSubscriber[] = [];
const NO_FILTERS: readonly string[] = [];

export class LiveChannel {
  /** Without its streams: theirs are below, and a pod keeps very many of these. */
  readonly resolved: Pick<ResolvedChannel, 'channel' | 'id' | 'key' | 'first' | 'omitsEnded'>;
  readonly streams: readonly ChannelStream[];
  /** Filters of what passes by; one list for all channels that have none. */
  readonly ephemeral: readonly string[];
  /** Subscriptions in whatever phase; at zero the channel is forgotten. */
  subscriptionCount = 0;
  lastFlushMs = 0;
  isDirty = false;
  /** Registered for its filters; kept by Channels. */
  isHeard = false;
  #live: LiveSubscriber[] = [];
  /** Lent from the pod's pool while there is something in it. */
  #batch: Batch | undefined;
  /** The event that was added last: by its sequence, since a reference would keep its segment from being given up. */
  #lastTail: Tail | undefined;
  #lastGeneration = -1;
  #lastSequence = -1;
  /** Live subscribers who read JSON; the others read msgpack. Nothing is framed that nobody reads. */
  #jsonCount = 0;

  constructor(resolved: ResolvedChannel, streams: readonly ChannelStream[]) {
    const { channel, id, key, first, omitsEnded, ephemeral } = resolved;
    this.ephemeral = ephemeral.length > 0 ? ephemeral : NO_FILTERS;
    this.resolved = { channel, id, key, first, omitsEnded };
    this.streams = streams;
  }

  get liveCount(): number {
    return this.#live.length;
  }

  get pendingCount(): number {
    return this.#batch?.length ?? 0;
  }

  get pendingBytes(): number {
    return this.#batch?.byteLength ?? 0;
  }

  /** Only at a moment when the subscriber has read every stream to its head and nothing is pending (I3). */
  join(subscriber: LiveSubscriber): void {
    // A list made for one takes an eighth of what one that was pushed to takes, and most channels have one.
    if (this.#live.length === 0) this.#live = [subscriber];
    else this.#live.push(subscriber);
    subscriber.liveIndex = this.#live.length - 1;
    if (subscriber.encoding === 'json') this.#jsonCount++;
  }

  leave(subscriber: LiveSubscriber): void {
    const { liveIndex } = subscriber;
    if (liveIndex < 0) return;
    const last = this.#live.pop()!;
    if (last !== subscriber) {
      this.#live[liveIndex] = last;
      last.liveIndex = liveIndex;
    }
    subscriber.liveIndex = -1;
    if (subscriber.encoding === 'json') this.#jsonCount--;
  }

  /** Takes an event into the batch; one that several filters of the channel match is taken once. */
  add(tail: Tail, segment: Segment, number: number, pool: BatchPool): void {
    if (this.#isTaken(tail, segment.sequences[number]!)) return;
    this.#batch ??= pool.take();
    this.#batch.add(segment, number, this.#originOf(tail));
  }

  /** The same for an event of a conflated type, which takes the place of the one before it. */
  hold(tail: Tail, segment: Segment, number: number, pool: BatchPool, conflation: Conflation): void {
    if (this.#isTaken(tail, segment.sequences[number]!)) return;
    // One that nobody gets must not take the place of one that everybody should.
    if (!conflation.isDeliverable(segment, number)) return;
    this.#batch ??= pool.take();
    if (this.#batch.hold(segment, number, this.#originOf(tail))) conflation.leftOutCount++;
  }

  /** At or below this sequence of a stream nothing is owed to a live subscriber. */
  settled(stream: number): number {
    const first = this.#batch?.firstSequence(stream);
    return first === undefined ? this.streams[stream]!.tail.head : first - 1;
  }

  /** Sends the batch to every live subscriber; those over their budget stop being live at what was sent last (I1). */
  flush(writer: EventWriter, nowMs: number, pool: BatchPool): void {
    this.lastFlushMs = nowMs;
    const batch = this.#batch;
    if (!batch) return;
    batch.settle();
    let isBehind = NOBODY;
    if (this.#jsonCount < this.#live.length) isBehind = this.#send('msgpack', batch, writer, isBehind);
    if (this.#jsonCount > 0) isBehind = this.#send('json', batch, writer, isBehind);
    const cursors = isBehind === NOBODY ? [] : this.streams.map((_, stream) => this.settled(stream));
    this.#batch = undefined;
    pool.give(batch);
    for (const subscriber of isBehind) {
      this.leave(subscriber);
      subscriber.fallBehind(cursors);
    }
  }

  /**
   * Sends what passes by to every live subscriber but those of one user. Returns how many got it and how many had no room:
   * nobody falls behind for it.
   */
  pass(encode: (encoding: Encoding) => Uint8Array, exceptUser: string | undefined): { sent: number; dropped: number } {
    let sent = 0;
    let dropped = 0;
    // A socket that breaks while it is written to takes its subscriber off the list.
    for (const subscriber of [...this.#live]) {
      if (subscriber.liveIndex < 0 || subscriber.user === exceptUser) continue;
      if (subscriber.deliverPassing(encode(subscriber.encoding))) sent++;
      else dropped++;
    }
    return { sent, dropped };
  }

  #isTaken(tail: Tail, sequence: number): boolean {
    if (this.#lastSequence === sequence && this.#lastTail === tail && this.#lastGeneration === tail.generation)
      return true;
    this.#lastTail = tail;
    this.#lastGeneration = tail.generation;
    this.#lastSequence = sequence;
    return false;
  }

  #originOf(tail: Tail): number {
    return this.streams.length === 1 ? 0 : this.streams.findIndex((stream) => stream.tail === tail);
  }

  /** Returns `isBehind` with those added that could not take the batch; copied on the first one, which is rare. */
  #send(
    encoding: Encoding,
    { segments, numbers, origins }: Batch,
    writer: EventWriter,
    isBehind: readonly LiveSubscriber[],
  ): readonly LiveSubscriber[] {
    writer.begin(encoding);
    for (let i = 0; i < numbers.length; i++) {
      writer.add(this.streams[origins[i]!]!.ref, segments[i]!, numbers[i]!);
    }
    const { count } = writer;
    if (count === 0) return isBehind;
    const { bytes } = writer;
    let slow: LiveSubscriber[] | undefined;
    // From the end: a socket that breaks while it is written to takes its subscriber off the list, and puts the last, which
    // has been served by then, in its place.
    for (let at = this.#live.length - 1; at >= 0; at--) {
      const subscriber = this.#live[at]!;
      if (subscriber.encoding !== encoding || subscriber.deliver(bytes, count)) continue;
      slow ??= [...isBehind];
      slow.push(subscriber);
    }
    return slow ?? isBehind;
  }
}

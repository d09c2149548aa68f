// One resolved channel with its subscribers on this pod, and the batch of events that its live ones have yet to get.
// There is no buffer per client: a flush frames the batch once per encoding and hands every live socket the same bytes.
import type { Encoding } from '@sluice/schemas';
import type { ResolvedChannel } from '../access/permission.ts';
import type { Segment } from '../log/segment.ts';
import type { Tail } from '../log/tail.ts';
import type { EventWriter } from './event-writer.ts';

/** One stream of a channel. */
export interface ChannelStream {
  readonly tail: Tail;
  readonly filters: readonly string[];
  readonly stateFilters: readonly string[];
  /** The integer by which event frames name this stream of this channel. */
  readonly ref: number;
}

/** A live subscription, as far as the batch is concerned. */
export interface LiveSubscriber {
  readonly encoding: Encoding;
  /** Index in the channel's list; kept by the channel. -1 while not live. */
  liveIndex: number;
  /** Sends the bytes, or returns false and sends nothing: the socket is over its budget. */
  deliver(bytes: Uint8Array, events: number): boolean;
  /** Not live any more: goes on from these cursors, one per stream, at its own pace. */
  fallBehind(cursors: readonly number[]): void;
}

const NOBODY: readonly LiveSubscriber[] = [];

export class LiveChannel {
  readonly resolved: ResolvedChannel;
  readonly streams: readonly ChannelStream[];
  /** Subscriptions in whatever phase; at zero the channel is forgotten. */
  subscriptionCount = 0;
  lastFlushMs = 0;
  isDirty = false;
  /** Registered for its filters; kept by Channels. */
  isHeard = false;
  pendingBytes = 0;
  readonly #live: LiveSubscriber[] = [];
  readonly #segments: Segment[] = [];
  readonly #numbers: number[] = [];
  /** Index into `streams` per pending event. */
  readonly #origins: number[] = [];
  /** The event that was added last: by its sequence, since a reference would keep its segment from being given up. */
  #lastTail: Tail | undefined;
  #lastGeneration = -1;
  #lastSequence = -1;
  /** Live subscribers per encoding, so that nothing is framed that nobody reads. */
  readonly #readers: Record<Encoding, number> = { msgpack: 0, json: 0 };

  constructor(resolved: ResolvedChannel, streams: readonly ChannelStream[]) {
    this.resolved = resolved;
    this.streams = streams;
  }

  get liveCount(): number {
    return this.#live.length;
  }

  get pendingCount(): number {
    return this.#numbers.length;
  }

  /** Only at a moment when the subscriber has read every stream to its head and nothing is pending (I3). */
  join(subscriber: LiveSubscriber): void {
    subscriber.liveIndex = this.#live.push(subscriber) - 1;
    this.#readers[subscriber.encoding]++;
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
    this.#readers[subscriber.encoding]--;
  }

  /** Takes an event into the batch; one that several filters of the channel match is taken once. */
  add(tail: Tail, segment: Segment, number: number): void {
    const sequence = segment.sequences[number]!;
    if (this.#lastSequence === sequence && this.#lastTail === tail && this.#lastGeneration === tail.generation) return;
    this.#lastTail = tail;
    this.#lastGeneration = tail.generation;
    this.#lastSequence = sequence;
    const origin = this.streams.length === 1 ? 0 : this.streams.findIndex((stream) => stream.tail === tail);
    this.#segments.push(segment);
    this.#numbers.push(number);
    this.#origins.push(origin);
    this.pendingBytes += segment.offsets[number + 1]! - segment.offsets[number]! + 64;
  }

  /** At or below this sequence of a stream nothing is owed to a live subscriber. */
  settled(stream: number): number {
    const first = this.#origins.indexOf(stream);
    return first < 0 ? this.streams[stream]!.tail.head : this.#sequence(first) - 1;
  }

  /** Sends the batch to every live subscriber; those over their budget stop being live at what was sent last (I1). */
  flush(writer: EventWriter, nowMs: number): void {
    this.lastFlushMs = nowMs;
    if (this.#numbers.length === 0) return;
    let isBehind = NOBODY;
    if (this.#readers.msgpack > 0) isBehind = this.#send('msgpack', writer, isBehind);
    if (this.#readers.json > 0) isBehind = this.#send('json', writer, isBehind);
    const cursors = isBehind === NOBODY ? [] : this.streams.map((_, stream) => this.settled(stream));
    this.#segments.length = 0;
    this.#numbers.length = 0;
    this.#origins.length = 0;
    this.pendingBytes = 0;
    for (const subscriber of isBehind) {
      this.leave(subscriber);
      subscriber.fallBehind(cursors);
    }
  }

  /** Returns `isBehind` with those added that could not take the batch; copied on the first one, which is rare. */
  #send(encoding: Encoding, writer: EventWriter, isBehind: readonly LiveSubscriber[]): readonly LiveSubscriber[] {
    writer.begin(encoding);
    for (let i = 0; i < this.#numbers.length; i++) {
      writer.add(this.streams[this.#origins[i]!]!.ref, this.#segments[i]!, this.#numbers[i]!);
    }
    const { count } = writer;
    if (count === 0) return isBehind;
    const { bytes } = writer;
    let slow: LiveSubscriber[] | undefined;
    for (const subscriber of this.#live) {
      if (subscriber.encoding !== encoding || subscriber.deliver(bytes, count)) continue;
      slow ??= [...isBehind];
      slow.push(subscriber);
    }
    return slow ?? isBehind;
  }

  #sequence(pending: number): number {
    return this.#segments[pending]!.sequences[this.#numbers[pending]!]!;
  }
}

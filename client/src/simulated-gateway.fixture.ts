// For property tests: a gateway over a log in memory that keeps the protocol to the letter, with everything under way
// visible: frames wait in the link until the test lets them arrive, or cuts it.
import { encodePosition, parsePosition, type DownFrame, type Subscribe } from '@sluice/schemas';
import { ScriptedGateway, welcome, type ScriptedLink } from './scripted.fixture.ts';

export interface LogEvent {
  readonly sequence: number;
  /** The channel that carries it; others only see the sequence move on. */
  readonly channel: string;
}

/** One stream: all that was ever stored in its present incarnation; what lies below `first` is gone. */
export class LogStream {
  generation = 0;
  first = 1;
  events: LogEvent[] = [];
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  get epoch(): string {
    return `${this.name}-${this.generation}`;
  }

  get last(): number {
    return this.events.length;
  }

  append(channel: string): LogEvent {
    const event = { sequence: this.last + 1, channel };
    this.events.push(event);
    return event;
  }

  of(channel: string, after: number): LogEvent[] {
    return this.events.filter(
      (event) => event.channel === channel && event.sequence > after && event.sequence >= this.first,
    );
  }
}

interface Served {
  readonly channel: string;
  readonly refs: readonly number[];
}

const timeOf = (sequence: number): number => 1_000 + sequence;

export class SimulatedGateway {
  readonly scripted: ScriptedGateway = new ScriptedGateway();
  readonly streams: readonly LogStream[] = [new LogStream('orders'), new LogStream('payments')];
  /** Where the last fresh start of a channel began, per epoch: everything from there on is owed. */
  readonly starts: Map<string, number> = new Map();
  #link: ScriptedLink | undefined;
  #read = 0;
  #nextRef = 0;
  #underWay: DownFrame[] = [];
  #served = new Map<string, Served>();

  /** Takes what the client has sent. A new connection starts with nothing. */
  read(): void {
    const link = this.scripted.links.at(-1);
    if (!link?.isOpen) return;
    if (link !== this.#link) {
      this.#link = link;
      this.#read = 0;
      this.#underWay = [];
      this.#served.clear();
      link.open();
    }
    const { received } = link;
    for (; this.#read < received.length; this.#read++) {
      const frame = received[this.#read]!;
      if (frame.kind === 'hello') this.#underWay.push(welcome());
      if (frame.kind === 'subscribe') this.#subscribe(frame);
      if (frame.kind === 'unsubscribe') {
        this.#served.delete(frame.channel);
        this.#underWay.push({ kind: 'unsubscribed', channel: frame.channel, id: frame.id });
      }
    }
  }

  /** The next frames arrive, as one message. */
  deliver(count: number): void {
    const frames = this.#underWay.splice(0, count);
    if (frames.length > 0 && this.#link) this.#link.send(...frames);
  }

  deliverAll(): void {
    this.deliver(this.#underWay.length);
  }

  get hasUnderWay(): boolean {
    return this.#underWay.length > 0 && this.#link?.isOpen === true;
  }

  /** The connection breaks; what was under way is lost. */
  cut(): void {
    this.#underWay = [];
    this.scripted.links.at(-1)?.close(1006);
  }

  append(stream: number, channel: string): void {
    const event = this.streams[stream]!.append(channel);
    const served = this.#served.get(channel);
    if (served) this.#underWay.push(this.#frame(served, stream, event));
  }

  /** A gateway that fails to keep I1: the client must cope. */
  repeat(stream: number, channel: string): void {
    const served = this.#served.get(channel);
    const event = this.streams[stream]!.of(channel, 0).at(-1);
    if (served && event) this.#underWay.push(this.#frame(served, stream, event));
  }

  ping(): void {
    if (!this.#link?.isOpen) return;
    // All that is stored is under way already, so nothing at or below the last sequence will be owed behind this frame.
    this.#underWay.push({ kind: 'ping', heads: this.streams.map(({ epoch, last }) => [epoch, last, timeOf(last)]) });
  }

  drain(): void {
    if (this.#link?.isOpen) this.#underWay.push({ kind: 'drain', withinMs: 1_000 });
  }

  refuse(channel: string): void {
    if (!this.#served.delete(channel)) return;
    this.#underWay.push({ kind: 'unsubscribed', channel, code: 'unavailable' });
  }

  /** Everything stored so far goes; who is past it does not notice. */
  purge(stream: number): void {
    const log = this.streams[stream]!;
    log.first = log.last + 1;
  }

  /** The stream is deleted and made anew: everybody on it starts over. */
  recreate(stream: number): void {
    const log = this.streams[stream]!;
    log.generation++;
    log.first = 1;
    log.events = [];
    for (const channel of [...this.#served.keys()]) this.#reset(channel, 'new_stream');
  }

  #subscribe({ id, channel, position: text }: Subscribe): void {
    if (this.#served.has(channel)) {
      this.#underWay.push({ kind: 'error', code: 'already_subscribed', message: '', id, channel });
      return;
    }
    const position = text === undefined ? undefined : parsePosition(text);
    if (position && !position.ok) throw new Error(`the client sent the position ${text}`);
    const entries = this.streams.map(({ epoch }) => position?.value.entries.find((entry) => entry.epoch === epoch));
    const isForeign = position?.value.entries.some(({ epoch }) => !this.streams.some((each) => each.epoch === epoch));
    const isTruncated = entries.some((entry, i) => entry && entry.sequence + 1 < this.streams[i]!.first);
    const isReset = isForeign === true || isTruncated;
    const served = this.#serve(channel);
    this.#underWay.push({
      kind: 'subscribed',
      id,
      channel,
      streams: this.#refs(served),
      position: encodePosition({ key: 'k', entries: isReset ? [] : entries.filter((entry) => entry !== undefined) }),
      recovered: !isReset && entries.every((entry) => entry !== undefined),
    });
    if (isReset) return this.#reset(channel, isForeign ? 'new_stream' : 'truncated');
    this.#replay(
      served,
      entries.map((entry, i) => entry?.sequence ?? this.#start(channel, i)),
    );
  }

  #reset(channel: string, reason: string): void {
    const served = this.#serve(channel);
    this.#underWay.push({ kind: 'reset', channel, reason, streams: this.#refs(served), position: 'k' });
    this.#replay(
      served,
      this.streams.map((_, i) => this.#start(channel, i)),
    );
  }

  #serve(channel: string): Served {
    const served = { channel, refs: this.streams.map(() => this.#nextRef++) };
    this.#served.set(channel, served);
    return served;
  }

  #start(channel: string, stream: number): number {
    const { epoch, first } = this.streams[stream]!;
    this.starts.set(`${channel} ${epoch}`, first);
    return first - 1;
  }

  /** Everything after the cursors, the streams by turns, then live. */
  #replay(served: Served, cursors: readonly number[]): void {
    const missed = this.streams.map((stream, i) => stream.of(served.channel, cursors[i]!));
    for (let i = 0; i < Math.max(...missed.map(({ length }) => length)); i++) {
      for (const [stream, events] of missed.entries()) {
        const event = events[i];
        if (event) this.#underWay.push(this.#frame(served, stream, event));
      }
    }
    const entries = this.streams.map(({ epoch, last }) => ({ epoch, sequence: last, timeMs: timeOf(last) }));
    this.#underWay.push({ kind: 'live', channel: served.channel, position: encodePosition({ key: 'k', entries }) });
  }

  #refs({ refs }: Served): [number, string][] {
    return refs.map((ref, i) => [ref, this.streams[i]!.epoch]);
  }

  #frame({ refs }: Served, stream: number, { sequence }: LogEvent): DownFrame {
    return { kind: 'event', ref: refs[stream]!, sequence, timeMs: timeOf(sequence), type: 'order.created', data: {} };
  }
}

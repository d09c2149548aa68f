// A client as docs/PROTOCOL.md tells others to write one, and what it may conclude from what it was sent. Keeps, per
// channel and stream, what it folds: the events since the last reset.
import {
  encodePosition,
  isRetryable,
  isSubjectMatch,
  parsePosition,
  type DownFrame,
  type Event,
  type FirstEvents,
  type Position,
  type StreamRefs,
  type UpFrame,
} from '@sluice/schemas';
import { resolveChannel, type Principal } from '../access/permission.ts';
import { ORDERS } from '../delivery/delivery.fixture.ts';
import { tokenOf, type FakeConnection } from './pod.fixture.ts';

export interface Fold {
  /** Everything after this sequence is owed; undefined for a snapshot, until `live` says where it ended. */
  after: number | undefined;
  isSnapshot: boolean;
  readonly seen: number[];
}

interface Entry {
  sequence: number;
  timeMs: number;
}

export class ClientChannel {
  readonly name: string;
  readonly first: FirstEvents;
  isWanted = true;
  status: { kind: 'idle' } | { kind: 'requested' | 'catching_up' | 'live'; id: number } = { kind: 'idle' };
  key = '';
  entries: Map<string, Entry> = new Map();
  folds: Map<string, Fold> = new Map();
  refs: Map<number, string> = new Map();
  /** Sent, and the gateway has not said what became of it. */
  unanswered: string | undefined;

  constructor(name: string, first: FirstEvents) {
    this.name = name;
    this.first = first;
  }

  get position(): string | undefined {
    const entries = [...this.entries].map(([epoch, { sequence, timeMs }]) => ({ epoch, sequence, timeMs }));
    return this.unanswered ?? (entries.length > 0 ? encodePosition({ key: this.key, entries }) : undefined);
  }

  begin(streams: StreamRefs, position: Position, isReset: boolean, isRecovered: boolean): void {
    const own = this.entries;
    const folds = this.folds;
    this.key = position.key;
    this.refs = new Map(streams.map(([ref, epoch]) => [ref, epoch]));
    this.entries = new Map();
    this.folds = new Map();
    for (const { epoch, sequence, timeMs } of position.entries) this.entries.set(epoch, { sequence, timeMs });
    for (const [, epoch] of streams) {
      const mine = own.get(epoch);
      const fold = folds.get(epoch);
      const entry = this.entries.get(epoch);
      const goesOn = !isReset && mine && fold && entry && (isRecovered || entry.sequence === mine.sequence);
      if (goesOn && mine.sequence > entry.sequence) throw new Error('a recovered stream starts before the position');
      this.folds.set(epoch, goesOn ? fold : { after: entry?.sequence, isSnapshot: !entry, seen: [] });
    }
  }

  raise(epoch: string, sequence: number, timeMs: number): void {
    const entry = this.entries.get(epoch);
    if (!entry || sequence > entry.sequence) this.entries.set(epoch, { sequence, timeMs });
  }
}

export class ModelClient {
  connection: FakeConnection | undefined;
  /** The newest token that was asked for, and the one that counts. */
  principal: Principal;
  granted: Principal;
  isWelcome = false;
  duplicates = 0;
  resets = 0;
  readonly channels: readonly ClientChannel[];
  readonly #refreshing = new Map<number, Principal>();
  /** Refs of what was unsubscribed here: some of it may still be under way. */
  readonly #left = new Set<number>();
  #id = 0;
  #grantedId = 0;

  constructor(principal: Principal, channels: readonly ClientChannel[]) {
    this.principal = principal;
    this.granted = principal;
    this.channels = channels;
  }

  connect(connection: FakeConnection): void {
    this.connection = connection;
    this.isWelcome = false;
    this.granted = this.principal;
    connection.write({ kind: 'hello', version: 1, token: tokenOf(this.principal) }, ...this.requests());
  }

  disconnect(): void {
    this.connection?.break();
    this.connection = undefined;
    this.#refreshing.clear();
    this.#left.clear();
    for (const channel of this.channels) {
      channel.status = { kind: 'idle' };
      channel.refs.clear();
    }
  }

  /** Subscribes for what is wanted and not on the wire. */
  requests(): UpFrame[] {
    const frames: UpFrame[] = [];
    for (const channel of this.channels) {
      if (!channel.isWanted || channel.status.kind !== 'idle') continue;
      const id = ++this.#id;
      const { position, name, first } = channel;
      channel.status = { kind: 'requested', id };
      channel.unanswered = position;
      frames.push({ kind: 'subscribe', id, channel: name, first, ...(position !== undefined && { position }) });
    }
    return frames;
  }

  subscribe(channel: ClientChannel): void {
    channel.isWanted = true;
    if (!this.connection) return;
    const frames = this.requests();
    if (frames.length > 0) this.connection.write(...frames);
  }

  unsubscribe(channel: ClientChannel): void {
    if (!channel.isWanted) return;
    channel.isWanted = false;
    const isOnWire = channel.status.kind !== 'idle';
    channel.status = { kind: 'idle' };
    for (const ref of channel.refs.keys()) this.#left.add(ref);
    channel.refs.clear();
    if (isOnWire) this.connection?.write({ kind: 'unsubscribe', id: ++this.#id, channel: channel.name });
  }

  refresh(principal: Principal, isSlow: boolean): void {
    this.principal = principal;
    if (!this.connection) return;
    this.#refreshing.set(++this.#id, principal);
    this.connection.write({ kind: 'auth', id: this.#id, token: `${isSlow ? 'slow:' : ''}${tokenOf(principal)}` });
  }

  read(bytes?: number): void {
    const { connection } = this;
    if (!connection) return;
    for (const frame of connection.read(bytes)) this.#receive(frame);
    if (connection.closed) this.disconnect();
  }

  #receive(frame: DownFrame): void {
    switch (frame.kind) {
      case 'welcome':
        this.isWelcome = true;
        return;
      case 'ok':
        // Of two tokens the one that was sent last counts, in whatever order they were verified.
        if (frame.id > this.#grantedId) this.granted = this.#refreshing.get(frame.id)!;
        this.#grantedId = Math.max(this.#grantedId, frame.id);
        return;
      case 'ping':
        for (const channel of this.channels) {
          if (channel.status.kind !== 'catching_up' && channel.status.kind !== 'live') continue;
          for (const [epoch, sequence, timeMs] of frame.heads) {
            if (channel.entries.has(epoch)) channel.raise(epoch, sequence, timeMs);
          }
        }
        this.connection?.write({ kind: 'pong' });
        return;
      case 'event':
        return this.#event(frame);
      case 'subscribed': {
        const channel = this.channels.find(({ status }) => status.kind === 'requested' && status.id === frame.id);
        if (!channel) return this.#leave(frame.streams);
        channel.status = { kind: 'catching_up', id: frame.id };
        if (frame.recovered) channel.unanswered = undefined;
        this.#begin(channel, frame.streams, frame.position, false, frame.recovered);
        return;
      }
      case 'reset': {
        const channel = this.#served(frame.channel);
        if (!channel) return this.#leave(frame.streams);
        this.resets++;
        channel.unanswered = undefined;
        channel.status = { kind: 'catching_up', id: channel.status.kind === 'idle' ? 0 : channel.status.id };
        this.#begin(channel, frame.streams, frame.position, true, false);
        return;
      }
      case 'live': {
        const channel = this.#served(frame.channel);
        if (!channel) return;
        channel.unanswered = undefined;
        channel.status = { kind: 'live', id: channel.status.kind === 'idle' ? 0 : channel.status.id };
        for (const { epoch, sequence, timeMs } of positionOf(frame.position).entries) {
          channel.raise(epoch, sequence, timeMs);
          const fold = channel.folds.get(epoch)!;
          // A snapshot may be ahead of the pod: then it ends where its last event does.
          if (fold.isSnapshot) fold.after ??= channel.entries.get(epoch)!.sequence;
        }
        return;
      }
      case 'error': {
        const channel = this.channels.find(({ status }) => status.kind !== 'idle' && status.id === frame.id);
        if (channel) this.#ended(channel, frame.code);
        return;
      }
      case 'unsubscribed': {
        const channel = this.#served(frame.channel);
        if (channel && frame.id === undefined) this.#ended(channel, frame.code!);
        return;
      }
      default:
        return;
    }
  }

  #event(frame: Event): void {
    const channel = this.channels.find(({ refs }) => refs.has(frame.ref));
    if (!channel) {
      if (!this.#left.has(frame.ref)) throw new Error(`nobody knows ref ${frame.ref}`);
      return;
    }
    const epoch = channel.refs.get(frame.ref)!;
    const { at, subject } = frame.data as { at: string; subject: string };
    if (at !== `${epoch}/${frame.sequence}/${frame.timeMs}`)
      throw new Error(`${at} came as ${epoch}/${frame.sequence}`);
    // I4: the token that counts grants what comes.
    const granted = resolveChannel(ORDERS, this.granted, channel.name);
    const filters = granted.ok ? granted.value.streams.flatMap((stream) => stream.filters) : [];
    if (!filters.some((filter) => isSubjectMatch(filter, subject)))
      throw new Error(`${subject} is not granted any more`);
    const entry = channel.entries.get(epoch);
    if (entry && frame.sequence <= entry.sequence) {
      this.duplicates++;
      return;
    }
    channel.unanswered = undefined;
    channel.raise(epoch, frame.sequence, frame.timeMs);
    channel.folds.get(epoch)!.seen.push(frame.sequence);
  }

  #begin(channel: ClientChannel, streams: StreamRefs, text: string, isReset: boolean, isRecovered: boolean): void {
    channel.begin(streams, positionOf(text), isReset, isRecovered);
  }

  #leave(streams: StreamRefs): void {
    for (const [ref] of streams) this.#left.add(ref);
  }

  #served(name: string): ClientChannel | undefined {
    return this.channels.find(
      (each) => each.name === name && (each.status.kind === 'catching_up' || each.status.kind === 'live'),
    );
  }

  #ended(channel: ClientChannel, code: string): void {
    channel.status = { kind: 'idle' };
    channel.refs.clear();
    if (!isRetryable(code)) channel.isWanted = false;
  }
}

const positionOf = (text: string): Position => {
  const parsed = parsePosition(text);
  if (!parsed.ok) throw new Error(`no position: ${text}`);
  return parsed.value;
};

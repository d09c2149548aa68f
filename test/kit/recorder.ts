// What one client saw, channel by channel, in order. Fed by the SDK's subscriptions or by decoded frames; judges
// nothing, that is the checker's part.
import type { DownFrame } from '@sluice/schemas';

export interface RecordedEvent {
  kind: 'event';
  epoch: string;
  sequence: number;
  timeMs: number;
  type: string;
  data: unknown;
}

export type RecordEntry =
  | RecordedEvent
  | { kind: 'subscribed'; isRecovered: boolean }
  /** Everything up to the position has been sent. */
  | { kind: 'live'; position: string | undefined }
  | { kind: 'reset'; reason: string }
  | { kind: 'error'; code: string }
  | { kind: 'ended'; code: string | undefined };

/** A subscription of the SDK, as far as recording needs it. */
export interface RecordableSubscription {
  readonly channel: string;
  on(
    name: 'event',
    listener: (event: ({ isEphemeral: false } & Omit<RecordedEvent, 'kind'>) | { isEphemeral: true }) => void,
  ): unknown;
  on(name: 'subscribed', listener: (notice: { isRecovered: boolean }) => void): unknown;
  on(name: 'live', listener: (notice: { position: string | undefined }) => void): unknown;
  on(name: 'reset', listener: (notice: { reason: string }) => void): unknown;
  on(name: 'error', listener: (error: { code: string }) => void): unknown;
  on(name: 'ended', listener: (notice: { error?: { code: string } }) => void): unknown;
}

export class Recorder {
  readonly name: string;
  readonly #channels = new Map<string, RecordEntry[]>();
  readonly #counts = new Map<string, number>();

  constructor(name = 'client') {
    this.name = name;
  }

  add(channel: string, entry: RecordEntry): void {
    let entries = this.#channels.get(channel);
    if (!entries) this.#channels.set(channel, (entries = []));
    entries.push(entry);
    if (entry.kind === 'event') this.#counts.set(channel, this.count(channel) + 1);
  }

  /** Listens to everything that the subscription reports. Call it before events can arrive. */
  follow(subscription: RecordableSubscription): void {
    const { channel } = subscription;
    subscription.on('event', (event) => {
      if (event.isEphemeral) return;
      const { epoch, sequence, timeMs, type, data } = event;
      this.add(channel, { kind: 'event', epoch, sequence, timeMs, type, data });
    });
    subscription.on('subscribed', ({ isRecovered }) => this.add(channel, { kind: 'subscribed', isRecovered }));
    subscription.on('live', ({ position }) => this.add(channel, { kind: 'live', position }));
    subscription.on('reset', ({ reason }) => this.add(channel, { kind: 'reset', reason }));
    subscription.on('error', ({ code }) => this.add(channel, { kind: 'error', code }));
    subscription.on('ended', ({ error }) => this.add(channel, { kind: 'ended', code: error?.code }));
  }

  /** Takes the frames of one connection; make a new one per connection, refs are the connection's own. */
  frames(): (frame: DownFrame) => void {
    const refs = new Map<number, { channel: string; epoch: string }>();
    return (frame) => {
      if (frame.kind === 'event') {
        const stream = refs.get(frame.ref);
        if (!stream) throw new Error(`an event with the unknown ref ${frame.ref}`);
        const { sequence, timeMs, type, data } = frame;
        return this.add(stream.channel, { kind: 'event', epoch: stream.epoch, sequence, timeMs, type, data });
      }
      if (frame.kind === 'subscribed' || frame.kind === 'reset') {
        for (const [ref, epoch] of frame.streams) refs.set(ref, { channel: frame.channel, epoch });
      }
      const entry = toEntry(frame);
      if (entry && 'channel' in frame && frame.channel !== undefined) this.add(frame.channel, entry);
    };
  }

  channels(): string[] {
    return [...this.#channels.keys()];
  }

  entries(channel: string): readonly RecordEntry[] {
    return this.#channels.get(channel) ?? [];
  }

  events(channel: string): RecordedEvent[] {
    return this.entries(channel).filter((entry) => entry.kind === 'event');
  }

  /** Number of events so far. */
  count(channel: string): number {
    return this.#counts.get(channel) ?? 0;
  }

  total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  resets(channel: string): string[] {
    return this.entries(channel).flatMap((entry) => (entry.kind === 'reset' ? [entry.reason] : []));
  }

  /** True once `live` came after the last reset and the last `subscribed`. */
  isLive(channel: string): boolean {
    const last = this.entries(channel).findLast((entry) => entry.kind !== 'event' && entry.kind !== 'error');
    return last?.kind === 'live';
  }

  /** Has this client seen the event that was stored there? */
  has(channel: string, stored: { sequence: number; subject: string }): boolean {
    const type = typeOf(stored.subject);
    return this.entries(channel).some(
      (entry) => entry.kind === 'event' && entry.sequence === stored.sequence && sameFamily(entry.type, type),
    );
  }
}

function toEntry(frame: DownFrame): RecordEntry | undefined {
  if (frame.kind === 'subscribed') return { kind: 'subscribed', isRecovered: frame.recovered };
  if (frame.kind === 'reset') return { kind: 'reset', reason: frame.reason };
  if (frame.kind === 'live') return { kind: 'live', position: frame.position };
  if (frame.kind === 'unsubscribed') return { kind: 'ended', code: frame.code };
  return frame.kind === 'error' ? { kind: 'error', code: frame.code } : undefined;
}

/** `order.status_changed` for `order.m-1.u-1.o-17.status_changed`. */
export function typeOf(subject: string): string {
  const tokens = subject.split('.');
  return `${tokens[0]}.${tokens.at(-1)}`;
}

function sameFamily(left: string, right: string): boolean {
  return left.split('.')[0] === right.split('.')[0];
}

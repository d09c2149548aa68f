// Events that are not stored: from their core subject to whoever is live on a channel that carries them, at once and at
// most once. They have no sequence and move no position; a socket that has something else to send does without. Knows no
// NATS: `receive` is told what came.
import { encodeFrame, type Encoding } from '@sluice/schemas';
import { TokenBucket } from '../access/limits.ts';
import type { Clock } from '../operations/clock.ts';
import type { LiveChannel } from './live-channel.ts';
import type { PayloadGate } from './payload-gate.ts';

export interface EphemeralOptions {
  readonly gate: PayloadGate;
  readonly clock: Pick<Clock, 'now'>;
  /** Events that a pod takes in a second, and at once; more are dropped. */
  readonly perSecond: number;
}

/** What became of them. Numbers of events, but `sent` and `slow`, which are numbers of receivers. */
export interface EphemeralCounts {
  received: number;
  /** Over the limit of the pod. */
  overLimit: number;
  tooLarge: number;
  refused: number;
  sent: number;
  /** Not sent to a socket that was congested. */
  slow: number;
}

/** Above every ephemeral subject. */
export const EPHEMERAL_PREFIX = 'eph.';
/** For what is worth nothing a moment later; a megabyte in every socket of a channel would cost others their events. */
const MAX_PAYLOAD_BYTES = 16 * 1024;

export class Ephemeral {
  readonly #options: EphemeralOptions;
  readonly #limit: TokenBucket;
  /** Channels with live subscribers, by filter. */
  readonly #byFilter = new Map<string, Set<LiveChannel>>();
  /** Which tokens are wildcards in how many of the filters: catalogues know a handful of ways. */
  readonly #shapes = new Map<string, number>();
  readonly counts: EphemeralCounts = { received: 0, overLimit: 0, tooLarge: 0, refused: 0, sent: 0, slow: 0 };

  constructor(options: EphemeralOptions) {
    this.#options = options;
    const { perSecond, clock } = options;
    this.#limit = new TokenBucket({ perSecond, burst: perSecond }, clock.now());
  }

  /** The channel has live subscribers. */
  listen(channel: LiveChannel): void {
    for (const filter of channel.ephemeral) {
      const listeners = this.#byFilter.get(filter);
      if (listeners) listeners.add(channel);
      else this.#byFilter.set(filter, new Set([channel]));
      const shape = shapeOf(filter);
      this.#shapes.set(shape, (this.#shapes.get(shape) ?? 0) + 1);
    }
  }

  unlisten(channel: LiveChannel): void {
    for (const filter of channel.ephemeral) {
      const listeners = this.#byFilter.get(filter);
      if (!listeners?.delete(channel)) continue;
      if (listeners.size === 0) this.#byFilter.delete(filter);
      const shape = shapeOf(filter);
      const count = this.#shapes.get(shape)! - 1;
      if (count > 0) this.#shapes.set(shape, count);
      else this.#shapes.delete(shape);
    }
  }

  /** `from` is the user who caused it and does not get it. */
  receive(subject: string, payload: Uint8Array, from: string | undefined): void {
    const { counts } = this;
    counts.received++;
    const channels = this.#listenersOf(subject);
    if (channels.size === 0) return;
    if (payload.length > MAX_PAYLOAD_BYTES) return void counts.tooLarge++;
    if (!this.#limit.take(this.#options.clock.now())) return void counts.overLimit++;
    const stored = subject.slice(EPHEMERAL_PREFIX.length);
    const data = this.#options.gate.value(stored, payload);
    if (data === undefined) return void counts.refused++;
    const type = `${stored.slice(0, stored.indexOf('.'))}.${stored.slice(stored.lastIndexOf('.') + 1)}`;
    for (const channel of channels) {
      const { sent, dropped } = channel.pass(encoderOf(channel.resolved.channel, type, data), from);
      counts.sent += sent;
      counts.slow += dropped;
    }
  }

  /** Each once, however many of its filters match. */
  #listenersOf(subject: string): ReadonlySet<LiveChannel> {
    const found = new Set<LiveChannel>();
    const tokens = subject.split('.');
    for (const shape of this.#shapes.keys()) {
      if (shape.length !== tokens.length) continue;
      const filter = tokens.map((token, at) => (shape[at] === '*' ? '*' : token)).join('.');
      for (const channel of this.#byFilter.get(filter) ?? []) found.add(channel);
    }
    return found;
  }
}

/** `eph.chat.c-1.*.typing` is `---*-`. */
const shapeOf = (filter: string): string =>
  filter
    .split('.')
    .map((token) => (token === '*' ? '*' : '-'))
    .join('');

/** Encodes at most once per encoding. */
const encoderOf = (channel: string, type: string, data: unknown): ((encoding: Encoding) => Uint8Array) => {
  const made = new Map<Encoding, Uint8Array>();
  return (encoding) => {
    const bytes = made.get(encoding) ?? encodeFrame({ kind: 'ephemeral', channel, type, data }, encoding);
    made.set(encoding, bytes);
    return bytes;
  };
};

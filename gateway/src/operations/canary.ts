// Proof that the pod delivers (I8): it publishes to a stream of its own and listens as any live subscriber does. What comes
// back has passed JetStream, reader, tail, routes, payload gate and a channel's flush.
import { CANARY_ROLE, type Catalogue, type Encoding } from '@sluice/schemas';
import { resolveChannel } from '../access/permission.ts';
import type { Channels } from '../delivery/channels.ts';
import type { LiveSubscriber } from '../delivery/live-channel.ts';
import { GatewayError } from '../errors.ts';
import type { Clock, TimerHandle } from './clock.ts';

export interface CanaryOptions {
  readonly catalogue: Catalogue;
  readonly channels: Channels;
  readonly clock: Clock;
  readonly podId: string;
  readonly publish: (subject: string, payload: string) => void;
}

const INTERVAL_MS = 2_000;

export class Canary implements LiveSubscriber {
  readonly encoding: Encoding = 'msgpack';
  readonly user: string;
  liveIndex = -1;
  readonly #options: CanaryOptions;
  #timer: TimerHandle | undefined;
  #seenMs = 0;

  constructor(options: CanaryOptions) {
    this.#options = options;
    this.user = options.podId;
  }

  /** When a canary last came back; the start counts as one. */
  get seenMs(): number {
    return this.#seenMs;
  }

  start(): void {
    const { catalogue, channels, clock, podId } = this.#options;
    const principal = { subject: podId, role: CANARY_ROLE, claims: {} };
    const resolved = resolveChannel(catalogue, principal, `sluice:${podId}`);
    if (!resolved.ok) throw new GatewayError('internal', `the canary's channel does not resolve: ${resolved.error}`);
    this.#seenMs = clock.now();
    channels.join(channels.acquire(resolved.value), this);
    this.#publish();
    this.#timer = clock.setInterval(() => this.#publish(), INTERVAL_MS);
  }

  stop(): void {
    this.#options.clock.clear(this.#timer);
  }

  deliver(): boolean {
    this.#seenMs = this.#options.clock.now();
    return true;
  }

  /** Nothing passes by on its channel. */
  deliverPassing(): boolean {
    return true;
  }

  /** Its deliveries always fit. */
  fallBehind(): void {}

  #publish(): void {
    const { clock, podId, publish } = this.#options;
    publish(`sluice.${podId}.canary`, JSON.stringify({ at: clock.now() }));
  }
}

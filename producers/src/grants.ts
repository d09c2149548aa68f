// Memberships: who may be on which channel, given and taken by services. A grant is a key of a bucket, which is a stream;
// gateways follow it, and ask its leader when somebody subscribes.
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { parseSubjectToken } from '@sluice/schemas';
import { systemClock, wait, type Clock } from './clock.ts';
import { ProducerError } from './errors.ts';
import { connectTo, messageHeaders, Wire, type Connection, type Servers } from './nats.ts';
import type { Random } from './random.ts';
import { DEFAULT_RETRY, judge, nextDelayMs, type RetryPolicy } from './retry.ts';
import type { StreamOptions, Wanted } from './streams.ts';
import { toTimeToLive } from './time-to-live.ts';

export interface GrantsSettings {
  /** The gateways must be told the same one. Default: `grants`. */
  readonly bucket?: string;
  readonly ackTimeoutMs?: number;
  readonly retry?: Partial<RetryPolicy>;
  readonly inboxPrefix?: string;
  readonly clock?: Clock;
  readonly random?: Random;
}

export type GrantsOptions = GrantsSettings & ({ readonly connection: Connection } | Servers);

export interface GrantOptions {
  /** Ends by itself then. */
  readonly expiresAt?: Date;
}

export interface Grants {
  /**
   * Stored when it resolves; a subscribe that comes later finds it. `sub` as subjects spell it. Again: the newer expiry
   * holds, or none.
   */
  grant(channel: string, sub: string, options?: GrantOptions): Promise<void>;
  /** Stored when it resolves: who is on the channel by this grant is taken off it. Nothing happens if there is none. */
  revoke(channel: string, sub: string): Promise<void>;
  close(): Promise<void>;
}

export const GRANTS_BUCKET = 'grants';

const NS_PER_MS = 1_000_000;
const ACK_TIMEOUT_MS = 5_000;
const DUPLICATE_WINDOW_MS = 120_000;
/** Longer than any pod rests on what it knew before it lost sight of the stream; then even the end is forgotten. */
const TOMBSTONE_MS = 3_600_000;
/** Gateways end a grant in time; this only clears it away, and clocks differ. */
const CLEAR_AFTER_MS = 60_000;

/** A bucket in which nothing ends without a message that says so: expiry leaves a marker. */
export const toGrantBucketConfig = (options: StreamOptions = {}): Wanted => {
  const { grantsBucket = GRANTS_BUCKET, replicas = 1 } = options;
  return {
    name: `KV_${grantsBucket}`,
    subjects: [`$KV.${grantsBucket}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_msg_ttl: true,
    subject_delete_marker_ttl: TOMBSTONE_MS * NS_PER_MS,
    num_replicas: replicas,
  };
};

/** Connects (unless a connection is given). Throws `connect_failed`. */
export const createGrants = async (options: GrantsOptions): Promise<Grants> => {
  const { clock = systemClock, ackTimeoutMs = ACK_TIMEOUT_MS, inboxPrefix } = options;
  const isOwner = !('connection' in options);
  const connection = isOwner ? await connectTo(options) : options.connection;
  const wire = new Wire(connection, { clock, ackTimeoutMs, ...(inboxPrefix !== undefined && { inboxPrefix }) });
  const disconnect = async (): Promise<void> => {
    if (isOwner) await connection.close();
  };
  return new BucketOfGrants(wire, disconnect, options);
};

class BucketOfGrants implements Grants {
  readonly #wire: Wire;
  readonly #disconnect: () => Promise<void>;
  readonly #bucket: string;
  readonly #retry: RetryPolicy;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #stop = new AbortController();

  constructor(wire: Wire, disconnect: () => Promise<void>, settings: GrantsSettings) {
    this.#wire = wire;
    this.#disconnect = disconnect;
    this.#bucket = settings.bucket ?? GRANTS_BUCKET;
    this.#retry = { ...DEFAULT_RETRY, ...settings.retry };
    this.#clock = settings.clock ?? systemClock;
    this.#random = settings.random ?? Math.random;
  }

  async grant(channel: string, sub: string, { expiresAt }: GrantOptions = {}): Promise<void> {
    const value = JSON.stringify(expiresAt ? { expiresAt: expiresAt.toISOString() } : {});
    const lifeMs = expiresAt && Math.max(0, expiresAt.getTime() - this.#clock.wallMs()) + CLEAR_AFTER_MS;
    await this.#store(channel, sub, value, lifeMs === undefined ? {} : { 'Nats-TTL': toTimeToLive(lifeMs) });
  }

  async revoke(channel: string, sub: string): Promise<void> {
    await this.#store(channel, sub, '', {
      'KV-Operation': 'PURGE',
      'Nats-Rollup': 'sub',
      'Nats-TTL': toTimeToLive(TOMBSTONE_MS),
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wire.release();
    await this.#disconnect();
  }

  /** The same message, id and all, until there is a verdict or the time is used up: one that comes late changes nothing. */
  async #store(channel: string, sub: string, value: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const subject = `$KV.${this.#bucket}.${grantKey(channel, sub)}`;
    const bytes = new TextEncoder().encode(value);
    const header = messageHeaders({ ...headers, 'Nats-Msg-Id': crypto.randomUUID() });
    const startedMs = this.#clock.monotonicMs();
    let isUncertain = false;
    for (let attempt = 1; ; attempt++) {
      if (this.#stop.signal.aborted) throw new ProducerError('closed', { path: subject });
      const reply = await this.#wire.send(subject, bytes, header);
      const verdict = judge(reply);
      if (verdict.kind === 'stored') return;
      const reason = reply.kind === 'refused' ? reply.description : reply.kind;
      if (verdict.kind === 'final') throw new ProducerError(verdict.code, { path: subject, reason });
      isUncertain ||= verdict.kind === 'retry' && verdict.isUncertain;
      const delayMs = nextDelayMs(this.#retry, attempt, this.#clock.monotonicMs() - startedMs, this.#random);
      if (delayMs === undefined) {
        throw new ProducerError(isUncertain ? 'unacknowledged' : 'unavailable', { path: subject, reason });
      }
      await wait(this.#clock, delayMs, this.#stop.signal);
    }
  }
}

/** `chat:c-1` for `u-1` is `chat.c-1.u-1`. Throws `invalid_key`. */
export const grantKey = (channel: string, sub: string): string => {
  const tokens = [...channel.split(':'), sub];
  const unsafe = tokens.find((token) => !parseSubjectToken(token).ok);
  if (unsafe === undefined) return tokens.join('.');
  throw new ProducerError('invalid_key', {
    path: unsafe === sub ? 'sub' : 'channel',
    reason: `"${unsafe}" is no token`,
  });
};

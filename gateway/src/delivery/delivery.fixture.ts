// The delivery side of a pod without NATS, sockets or time of its own, and what tests say about frames.
import {
  decodeDown,
  mustCompileCatalogue,
  packValue,
  orders,
  type Catalogue,
  type DownFrame,
  type Encoding,
  type Event,
} from '@sluice/schemas';
import { resolveChannel, type Principal, type ResolvedChannel } from '../access/permission.ts';
import { Tail, TailMemory } from '../log/tail.ts';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { ChunkCache } from './catch-up.ts';
import { Channels } from './channels.ts';
import { Conflation } from './conflation.ts';
import { Ephemeral } from './ephemeral.ts';
import { EventWriter } from './event-writer.ts';
import type { LiveSubscriber } from './live-channel.ts';
import { PayloadGate, type PayloadGateOptions } from './payload-gate.ts';
import { compileRoutes, type Routes } from './routes.ts';

export const ORDERS: Catalogue = mustCompileCatalogue(orders);

export interface DeliveryOptions {
  readonly maxBatchBytes?: number;
  readonly tailBytes?: number;
  readonly catalogue?: Catalogue;
  readonly gate?: Partial<PayloadGateOptions>;
}

export interface Delivery {
  readonly clock: ManualClock;
  readonly routes: Routes;
  readonly memory: TailMemory;
  readonly tails: ReadonlyMap<string, Tail>;
  readonly gate: PayloadGate;
  readonly refusals: string[];
  readonly writer: EventWriter;
  readonly conflation: Conflation;
  readonly ephemeral: Ephemeral;
  readonly channels: Channels;
  readonly chunks: ChunkCache;
  /** Appends to the stream's tail and publishes; the payload is `{n: sequence}` if none is given. */
  append(stream: string, subject: string, payload?: Uint8Array, at?: AppendAt): number;
  /** What setImmediate would run. */
  endTick(): void;
}

export interface AppendAt {
  readonly sequence?: number;
  readonly timeMs?: number;
  /** As the `expires` header says it. */
  readonly expiresAtMs?: number;
}

export const FLUSH_INTERVAL_MS = 10;

export const createDelivery = (options: DeliveryOptions = {}): Delivery => {
  const catalogue = options.catalogue ?? ORDERS;
  const clock = new ManualClock();
  const routes = compileRoutes(catalogue);
  const memory = new TailMemory(options.tailBytes ?? 1e9);
  const tails = new Map(catalogue.streams.map(({ name }) => [name, new Tail(name, routes.filtersOf, memory)]));
  for (const tail of tails.values()) tail.begin(`${tail.stream}-1`, 1);
  const refusals: string[] = [];
  const gate = new PayloadGate(catalogue, {
    validate: 'off',
    onInvalid: 'pass',
    onRefused: (_, sequence, refusal) => refusals.push(`${sequence} ${refusal}`),
    nowMs: () => clock.now(),
    ...options.gate,
  });
  const writer = new EventWriter(catalogue, gate);
  const conflation = new Conflation(catalogue, gate);
  const ephemeral = new Ephemeral({ gate, clock, perSecond: 100 });
  let endOfTick: (() => void)[] = [];
  const channels = new Channels({
    tails,
    routes,
    writer,
    conflation,
    ephemeral,
    clock,
    flushIntervalMs: FLUSH_INTERVAL_MS,
    maxBatchBytes: options.maxBatchBytes ?? 1e9,
    atEndOfTick: (callback) => endOfTick.push(callback),
  });
  return {
    clock,
    routes,
    memory,
    tails,
    gate,
    refusals,
    writer,
    conflation,
    ephemeral,
    channels,
    chunks: new ChunkCache({ maxBytes: 1024 * 1024, conflation, nowMs: () => clock.now() }),
    append: (stream, subject, payload, at = {}) => {
      const tail = tails.get(stream)!;
      const sequence = at.sequence ?? tail.head + 1;
      const bytes = payload ?? packValue({ n: sequence });
      const segment = tail.append(sequence, at.timeMs ?? clock.now(), subject, bytes, at.expiresAtMs);
      channels.publish(tail, segment, segment.count - 1);
      return sequence;
    },
    endTick: () => {
      const callbacks = endOfTick;
      endOfTick = [];
      for (const callback of callbacks) callback();
    },
  };
};

export const CUSTOMER: Principal = { subject: 'u-1', role: 'customer', claims: {} };
export const ADMIN: Principal = { subject: 'u-9', role: 'admin', claims: {} };
export const MERCHANT: Principal = { subject: 'u-5', role: 'merchant_owner', claims: { merchantId: 'm-1' } };

export const resolve = (who: Principal, name: string, catalogue: Catalogue = ORDERS): ResolvedChannel => {
  const resolved = resolveChannel(catalogue, who, name);
  if (!resolved.ok) throw new Error(`${name}: ${resolved.error}`);
  return resolved.value;
};

export const framesOf = (bytes: Uint8Array, encoding: Encoding): DownFrame[] => {
  if (bytes.length === 0) return [];
  const decoded = decodeDown(bytes, encoding);
  if (!decoded.ok) throw new Error('a message that no client could read');
  return decoded.value;
};

export const eventsOf = (bytes: Uint8Array, encoding: Encoding = 'msgpack'): Event[] =>
  framesOf(bytes, encoding).map((frame) => {
    if (frame.kind !== 'event') throw new Error(`a ${frame.kind} among the events`);
    return frame;
  });

/** A live subscriber that keeps what it got; `isFull` makes its socket refuse. */
export class FakeSubscriber implements LiveSubscriber {
  readonly encoding: Encoding;
  readonly user: string;
  liveIndex = -1;
  isFull = false;
  readonly batches: Event[][] = [];
  readonly behindAt: (readonly number[])[] = [];

  readonly passed: DownFrame[] = [];

  constructor(encoding: Encoding = 'msgpack', user = 'u-1') {
    this.encoding = encoding;
    this.user = user;
  }

  get sequences(): number[] {
    return this.batches.flat().map(({ sequence }) => sequence);
  }

  deliver(bytes: Uint8Array, events: number): boolean {
    if (this.isFull) return false;
    const batch = eventsOf(bytes, this.encoding);
    if (batch.length !== events) throw new Error(`${batch.length} events were called ${events}`);
    this.batches.push(batch);
    return true;
  }

  deliverPassing(bytes: Uint8Array): boolean {
    if (this.isFull) return false;
    this.passed.push(...framesOf(bytes, this.encoding));
    return true;
  }

  fallBehind(cursors: readonly number[]): void {
    this.behindAt.push(cursors);
  }
}

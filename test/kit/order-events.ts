// Streams and events of the order family, made with plain nats.js: what a test publishes does not depend on the code
// it tests. Every publish waits for its acknowledgement and is remembered.
import type { JetStreamClient } from '@nats-io/jetstream';
import { DiscardPolicy, RetentionPolicy, StorageType, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

export const ORDER_STREAM = 'ORDER';
export const PAYMENT_STREAM = 'PAYMENT';

export interface StreamOptions {
  replicas?: number;
  maxAgeMs?: number;
  maxBytes?: number;
  maxMessages?: number;
}

const NANOSECONDS_PER_MS = 1_000_000;

/** ORDER (order.>, delivery.>) and PAYMENT (payment.>): file storage, limits retention, direct gets. */
export async function createOrderStreams(connection: NatsConnection, options: StreamOptions = {}): Promise<void> {
  await createStream(connection, ORDER_STREAM, ['order.>', 'delivery.>'], options);
  await createStream(connection, PAYMENT_STREAM, ['payment.>'], options);
}

export async function createStream(
  connection: NatsConnection,
  name: string,
  subjects: string[],
  options: StreamOptions = {},
): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: 10_000 });
  await manager.streams.add({
    name,
    subjects,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    allow_direct: true,
    num_replicas: options.replicas ?? 1,
    ...(options.maxAgeMs === undefined ? {} : { max_age: options.maxAgeMs * NANOSECONDS_PER_MS }),
    ...(options.maxBytes === undefined ? {} : { max_bytes: options.maxBytes }),
    ...(options.maxMessages === undefined ? {} : { max_msgs: options.maxMessages }),
  });
}

export interface OrderIds {
  merchantId?: string;
  userId?: string;
  orderId?: string;
}

export type OrderEventType =
  | 'order.created'
  | 'order.status_changed'
  | 'order.location_updated'
  | 'order.eta_updated'
  | 'delivery.arrived'
  | 'payment.processing'
  | 'payment.confirmed'
  | 'payment.failed'
  | 'payment.refund_updated';

/** `order.m-1.u-1.o-17.status_changed` for `order.status_changed`. */
export function orderSubject(type: OrderEventType, ids: OrderIds = {}): string {
  const [family = '', name = ''] = type.split('.');
  const { merchantId = 'm-1', userId = 'u-1', orderId = 'o-17' } = ids;
  return `${family}.${merchantId}.${userId}.${orderId}.${name}`;
}

const STATUSES = ['placed', 'confirmed', 'preparing', 'ready', 'out_for_delivery', 'delivered'];

/** A payload that fits the catalogue. `mark` makes it recognisable: it travels in a field that no schema names. */
export function orderPayload(type: OrderEventType, ids: OrderIds, mark: number | string): Record<string, unknown> {
  const { merchantId = 'm-1', userId = 'u-1', orderId = 'o-17' } = ids;
  const timestamp = new Date().toISOString();
  const orderNumber = `N-${orderId}`;
  const deliveryPartner = { name: 'Dana', phone: '+1 555 0100' };
  const fields: Record<string, () => Record<string, unknown>> = {
    'order.created': () => ({
      orderNumber,
      merchantId,
      userId,
      customer: { name: 'Ada', phone: '+1 555 0101' },
      items: 2,
      total: 12.5,
      type: 'delivery',
      createdAt: timestamp,
    }),
    'order.status_changed': () => ({ status: STATUSES[Number(mark) % STATUSES.length] ?? 'placed', timestamp }),
    'order.location_updated': () => ({ location: { latitude: 52.5, longitude: 13.4 }, timestamp }),
    'order.eta_updated': () => ({ estimatedArrival: timestamp, timestamp }),
    'delivery.arrived': () => ({ orderNumber, deliveryPartner, message: 'At the door', timestamp }),
  };
  const payment = (): Record<string, unknown> => ({ paymentId: `p-${mark}`, amount: 12.5, currency: 'EUR', timestamp });
  return { orderId, ...(fields[type] ?? payment)(), mark };
}

/** An event that JetStream acknowledged. */
export interface StoredEvent {
  stream: string;
  sequence: number;
  subject: string;
  data: unknown;
}

export interface PublishOptions extends OrderIds {
  types?: readonly OrderEventType[];
  /** The mark of the first event; the next ones count up. */
  startAt?: number;
  inFlight?: number;
}

/**
 * Publishes `count` events, the types in turn, and returns them in order of publishing. Rejects if one was not
 * acknowledged.
 */
export async function publishOrderEvents(
  connection: NatsConnection,
  count: number,
  options: PublishOptions = {},
): Promise<StoredEvent[]> {
  const { types = ['order.status_changed'], startAt = 0, inFlight = 256 } = options;
  const js = jetstream(connection, { timeout: 20_000 });
  const stored: StoredEvent[] = [];
  for (let done = 0; done < count; done += inFlight) {
    const batch = Array.from({ length: Math.min(inFlight, count - done) }, (_, index) => {
      const mark = startAt + done + index;
      const type = types[mark % types.length]!;
      return publishEvent(js, orderSubject(type, options), orderPayload(type, options, mark));
    });
    stored.push(...(await Promise.all(batch)));
  }
  return stored;
}

/** Publishes one event (an object as JSON, bytes as they are) and waits for its acknowledgement. */
export async function publishEvent(
  js: JetStreamClient,
  subject: string,
  data: unknown,
  options: { headers?: MsgHdrs; messageId?: string } = {},
): Promise<StoredEvent> {
  const bytes = data instanceof Uint8Array ? data : new TextEncoder().encode(JSON.stringify(data));
  const ack = await js.publish(subject, bytes, {
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    ...(options.messageId === undefined ? {} : { msgID: options.messageId }),
  });
  return { stream: ack.stream, sequence: ack.seq, subject, data };
}

export interface SteadyLoad {
  /** Everything acknowledged so far. */
  readonly stored: readonly StoredEvent[];
  /** Attempts that got no acknowledgement and were made again under the same message id. */
  retries(): number;
  /** Stops, waits for the last acknowledgements and returns everything. */
  stop(): Promise<StoredEvent[]>;
}

export interface SteadyLoadOptions {
  eventsPerSecond: number;
  /** Picks the event with this number. */
  next: (index: number) => { type: OrderEventType } & OrderIds;
  maxInFlight?: number;
}

const LOAD_TICK_MS = 10;
const ACK_TIMEOUT_MS = 2_000;

/**
 * Publishes at a steady rate until stopped, through whatever happens to the servers: an event without an
 * acknowledgement is published again under the same id, so that each is stored once. While acknowledgements fail to
 * come it holds back instead of piling up.
 */
export function startSteadyLoad(connection: NatsConnection, options: SteadyLoadOptions): SteadyLoad {
  const { eventsPerSecond, next, maxInFlight = 1_000 } = options;
  const js = jetstream(connection, { timeout: ACK_TIMEOUT_MS });
  const stored: StoredEvent[] = [];
  const open = new Set<Promise<void>>();
  const run = `${process.pid}-${performance.now()}`;
  let retries = 0;
  let count = 0;
  let owed = 0;
  let lastMs = performance.now();

  const publish = async (index: number): Promise<void> => {
    const { type, ...ids } = next(index);
    const subject = orderSubject(type, ids);
    const payload = orderPayload(type, ids, index);
    for (;;) {
      try {
        stored.push(await publishEvent(js, subject, payload, { messageId: `${run}-${index}` }));
        return;
      } catch (error) {
        if (connection.isClosed()) throw error;
        retries += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const failures: unknown[] = [];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    owed += ((nowMs - lastMs) * eventsPerSecond) / 1000;
    lastMs = nowMs;
    // What could not be published during an outage is not made up for in one burst.
    owed = Math.min(owed, eventsPerSecond / 2);
    for (; owed >= 1 && open.size < maxInFlight; owed -= 1) {
      const one: Promise<void> = publish(count)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => open.delete(one));
      open.add(one);
      count += 1;
    }
  }, LOAD_TICK_MS);

  return {
    stored,
    retries: () => retries,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
      if (failures.length > 0) throw new Error(`${failures.length} publishes failed`, { cause: failures[0] });
      return [...stored];
    },
  };
}

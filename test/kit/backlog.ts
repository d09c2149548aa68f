// A stored past that takes a while to catch up on: events padded to some kilobytes, so that a throttled link is busy
// with them long after the kernel's buffers are full.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { mixedEvent } from './audience.ts';
import {
  type OrderEventType,
  type OrderIds,
  type StoredEvent,
  orderPayload,
  orderSubject,
  publishEvent,
} from './order-events.ts';

export interface BacklogOptions {
  events: number;
  paddingBytes: number;
  next?: (index: number) => { type: OrderEventType } & OrderIds;
}

const IN_FLIGHT = 64;

/** Publishes in order and waits for every acknowledgement. The padding travels in a field that no schema names. */
export async function publishBacklog(connection: NatsConnection, options: BacklogOptions): Promise<StoredEvent[]> {
  const { events, paddingBytes, next = mixedEvent } = options;
  const js = jetstream(connection, { timeout: 20_000 });
  const padding = 'x'.repeat(paddingBytes);
  const stored: StoredEvent[] = [];
  for (let done = 0; done < events; done += IN_FLIGHT) {
    const batch = Array.from({ length: Math.min(IN_FLIGHT, events - done) }, async (_, offset) => {
      const { type, ...ids } = next(done + offset);
      return await publishEvent(js, orderSubject(type, ids), { ...orderPayload(type, ids, done + offset), padding });
    });
    stored.push(...(await Promise.all(batch)));
  }
  return stored;
}

// Flush policy and who hears what, by a clock that stands still unless it is moved.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { packValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import {
  ADMIN,
  createDelivery,
  CUSTOMER,
  FakeSubscriber,
  FLUSH_INTERVAL_MS,
  MERCHANT,
  resolve,
  type Delivery,
} from './delivery.fixture.ts';
import type { LiveChannel } from './live-channel.ts';

const CREATED = 'order.m-1.u-1.o-1.created';
const MOVED = 'order.m-1.u-1.o-1.location_updated';
const PAID = 'payment.m-1.u-1.o-1.confirmed';
const OTHERS = 'order.m-2.u-2.o-2.created';

const listen = (
  delivery: Delivery,
  who = CUSTOMER,
  name = 'order:o-1',
  subscriber = new FakeSubscriber(),
): { channel: LiveChannel; subscriber: FakeSubscriber } => {
  const channel = delivery.channels.acquire(resolve(who, name));
  delivery.channels.join(channel, subscriber);
  return { channel, subscriber };
};

/** A pod whose last tick lies back far enough that nothing is a burst. */
const quietDelivery = (options: Parameters<typeof createDelivery>[0] = {}): Delivery => {
  const delivery = createDelivery(options);
  delivery.clock.advance(1_000);
  return delivery;
};

describe('when a batch goes out', () => {
  test('of a quiet channel at the end of the tick, with all that the tick brought', () => {
    const delivery = quietDelivery();
    const { subscriber } = listen(delivery);
    delivery.append('ORDER', CREATED);
    delivery.append('PAYMENT', PAID);

    expect(subscriber.batches).toEqual([]);
    delivery.endTick();

    expect(subscriber.batches.map((batch) => batch.map(({ type }) => type))).toEqual([
      ['order.created', 'payment.confirmed'],
    ]);
  });

  test('of a busy channel once per interval, with nothing left behind when it falls quiet', () => {
    const delivery = quietDelivery();
    const { subscriber } = listen(delivery);
    const flushedAtMs: number[] = [];
    for (let ms = 0; ms < 100; ms++) {
      const before = subscriber.batches.length;
      delivery.append('ORDER', MOVED);
      delivery.endTick();
      delivery.clock.advance(1);
      if (subscriber.batches.length > before) flushedAtMs.push(ms);
    }
    delivery.clock.advance(2 * FLUSH_INTERVAL_MS);

    const gaps = flushedAtMs.slice(1).map((ms, i) => ms - flushedAtMs[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(FLUSH_INTERVAL_MS - 1);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(FLUSH_INTERVAL_MS + 1);
    expect(subscriber.sequences).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(delivery.clock.pending).toBe(0);
  });

  test('at once where the batch is full, and no event of it again', () => {
    const delivery = quietDelivery({ maxBatchBytes: 1_000 });
    const { subscriber } = listen(delivery, ADMIN);
    for (let i = 0; i < 50; i++) delivery.append('ORDER', MOVED, packValue({ filler: 'x'.repeat(100) }));

    expect(subscriber.batches.length).toBeGreaterThan(5);
    expect(Math.max(...subscriber.batches.map((batch) => batch.length))).toBeLessThanOrEqual(7);
    delivery.endTick();
    delivery.clock.advance(3 * FLUSH_INTERVAL_MS);

    expect(subscriber.sequences).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('a clock that is set back holds nothing up', () => {
    const delivery = quietDelivery();
    const { subscriber } = listen(delivery);
    for (let i = 0; i < 3; i++) {
      delivery.append('ORDER', MOVED);
      delivery.endTick();
      delivery.clock.setBack(3_600_000);
      delivery.append('ORDER', MOVED);
      delivery.endTick();
      delivery.clock.advance(3 * FLUSH_INTERVAL_MS);
      delivery.endTick();

      expect(subscriber.sequences.length).toBe(2 * (i + 1));
    }
  });

  test('a clock that is set back while a batch waits does not hold it up either', () => {
    const delivery = quietDelivery();
    const { subscriber } = listen(delivery);
    delivery.append('ORDER', MOVED);
    delivery.endTick();
    delivery.clock.advance(2);
    delivery.append('ORDER', MOVED);
    delivery.endTick();
    delivery.clock.setBack(3_600_000);
    delivery.clock.advance(3 * FLUSH_INTERVAL_MS);

    expect(subscriber.sequences).toEqual([1, 2]);
  });

  test('a pod that closes leaves no timer', () => {
    const delivery = quietDelivery();
    listen(delivery);
    for (let i = 0; i < 3; i++) {
      delivery.append('ORDER', MOVED);
      delivery.endTick();
      delivery.clock.advance(i === 0 ? 3 : 0);
    }

    delivery.channels.close();

    expect(delivery.clock.pending).toBe(0);
  });
});

describe('who hears what', () => {
  test('an event that several filters of a channel match comes once', () => {
    for (const maxBatchBytes of [1, 150, 1e9]) {
      const delivery = quietDelivery({ maxBatchBytes });
      const resolved = resolve(CUSTOMER, 'order:o-1');
      // A catalogue may well give a role the same events by two filters.
      const doubled = {
        ...resolved,
        id: 'doubled',
        streams: resolved.streams.map((stream) => ({
          ...stream,
          filters:
            stream.stream === 'ORDER'
              ? ['order.*.u-1.o-1.*', 'order.*.*.o-1.*', 'order.*.u-1.*.created']
              : stream.filters,
        })),
      };
      const subscriber = new FakeSubscriber();
      delivery.channels.join(delivery.channels.acquire(doubled), subscriber);
      for (let i = 0; i < 5; i++) delivery.append('ORDER', CREATED);
      delivery.endTick();
      delivery.clock.advance(2 * FLUSH_INTERVAL_MS);

      expect(subscriber.sequences).toEqual([1, 2, 3, 4, 5]);
    }
  });

  test('channels of one name and different filters do not mix', () => {
    const delivery = quietDelivery();
    const customer = listen(delivery).subscriber;
    const merchant = listen(delivery, MERCHANT).subscriber;
    const stranger = listen(delivery, { ...CUSTOMER, subject: 'u-2' }).subscriber;
    delivery.append('ORDER', CREATED);
    delivery.append('PAYMENT', PAID);
    delivery.append('ORDER', 'order.m-1.u-2.o-1.created');
    delivery.endTick();

    const seen = [customer, merchant, stranger].map(({ batches }) =>
      batches.flat().map(({ type, sequence }) => `${type} ${sequence}`),
    );
    expect(seen).toEqual([
      ['order.created 1', 'payment.confirmed 1'],
      ['order.created 1', 'order.created 2'],
      ['order.created 2'],
    ]);
  });

  test('each encoding gets its own bytes, refused events are in none', () => {
    const delivery = quietDelivery();
    const msgpack = listen(delivery).subscriber;
    const json = listen(delivery, CUSTOMER, 'order:o-1', new FakeSubscriber('json')).subscriber;
    delivery.append('ORDER', CREATED, packValue({ a: 1 }));
    delivery.append('ORDER', CREATED, Uint8Array.of(0x81));
    delivery.append('ORDER', CREATED, new TextEncoder().encode('{ "a": 2 }'));
    delivery.endTick();

    expect(msgpack.batches).toEqual(json.batches);
    expect(msgpack.batches.flat().map(({ data }) => data)).toEqual([{ a: 1 }, { a: 2 }]);
    expect(delivery.refusals).toEqual(['2 malformed']);
  });

  test('a batch of refused events alone is not sent, and nobody falls behind for it', () => {
    const delivery = quietDelivery();
    const { subscriber, channel } = listen(delivery);
    subscriber.isFull = true;
    delivery.append('ORDER', CREATED, Uint8Array.of(0xc1));
    delivery.endTick();

    expect([subscriber.batches, subscriber.behindAt, channel.liveCount]).toEqual([[], [], 1]);
  });

  test('what nobody listens to is neither framed nor kept', () => {
    const delivery = quietDelivery();
    const { subscriber, channel } = listen(delivery);
    delivery.append('ORDER', OTHERS);
    delivery.channels.leave(channel, subscriber);
    delivery.append('ORDER', CREATED);
    delivery.endTick();

    expect(delivery.channels.flushCount).toBe(0);
    expect(channel.pendingCount).toBe(0);
  });
});

describe('joining and leaving', () => {
  test('who joins while a batch is pending gets none of it, the others get it first', () => {
    const delivery = quietDelivery();
    const { subscriber: first, channel } = listen(delivery);
    delivery.append('ORDER', CREATED);
    const second = new FakeSubscriber();

    delivery.channels.join(delivery.channels.acquire({ ...channel.resolved, streams: [], ephemeral: [] }), second);

    expect(first.sequences).toEqual([1]);
    delivery.append('ORDER', CREATED);
    delivery.endTick();
    delivery.clock.advance(2 * FLUSH_INTERVAL_MS);
    expect([first.sequences, second.sequences]).toEqual([[1, 2], [2]]);
  });

  test('what was pending when the last one left does not reach who joins next', () => {
    const delivery = quietDelivery();
    const { subscriber, channel } = listen(delivery);
    delivery.append('ORDER', CREATED);
    delivery.channels.leave(channel, subscriber);
    const next = new FakeSubscriber();
    delivery.channels.join(channel, next);
    delivery.append('ORDER', CREATED);
    delivery.endTick();
    delivery.clock.advance(2 * FLUSH_INTERVAL_MS);

    expect([subscriber.sequences, next.sequences]).toEqual([[], [2]]);
  });

  test('a socket that breaks while it is written to takes nothing from the others', () => {
    const delivery = quietDelivery();
    const { channel, subscriber: first } = listen(delivery);
    const others = [1, 2, 3].map(() => listen(delivery).subscriber);
    first.deliver = () => {
      delivery.channels.leave(channel, first);
      return true;
    };
    delivery.append('ORDER', CREATED);
    delivery.endTick();

    for (const other of others) expect(other.sequences).toEqual([1]);
    expect(channel.liveCount).toBe(3);
  });

  test('leaving keeps the places of the others in order', () => {
    const delivery = quietDelivery();
    const { channel, subscriber } = listen(delivery);
    const others = Array.from({ length: 4 }, () => new FakeSubscriber());
    for (const other of others) delivery.channels.join(channel, other);
    delivery.channels.leave(channel, subscriber);
    delivery.channels.leave(channel, others[1]!);
    delivery.channels.leave(channel, others[1]!);
    delivery.append('ORDER', CREATED);
    delivery.endTick();

    expect([subscriber, ...others].map(({ sequences }) => sequences.length)).toEqual([0, 1, 0, 1, 1]);
    for (const other of others) delivery.channels.leave(channel, other);
    expect(channel.liveCount).toBe(0);
  });

  test('a channel is one object while anybody holds it, and a new one with other refs afterwards', () => {
    const { channels } = createDelivery();
    const resolved = resolve(CUSTOMER, 'order:o-1');
    const first = channels.acquire(resolved);
    expect(channels.acquire(resolve(CUSTOMER, 'order:o-1'))).toBe(first);
    channels.release(first);
    expect([channels.size, channels.acquire(resolved) === first]).toEqual([1, true]);
    channels.release(first);
    channels.release(first);
    expect(channels.size).toBe(0);

    const second = channels.acquire(resolved);

    const refs = [first, second].flatMap(({ streams }) => streams.map(({ ref }) => ref));
    expect(new Set(refs).size).toBe(4);
  });
});

describe('falling behind', () => {
  test('leaves a subscriber exactly where its last batch ended, stream by stream', () => {
    const delivery = quietDelivery();
    const { subscriber, channel } = listen(delivery);
    const other = new FakeSubscriber();
    delivery.channels.join(channel, other);
    delivery.append('ORDER', CREATED);
    delivery.append('ORDER', OTHERS);
    delivery.append('PAYMENT', 'payment.m-9.u-9.o-9.failed');
    delivery.append('PAYMENT', 'payment.m-9.u-9.o-9.failed');
    delivery.endTick();
    subscriber.isFull = true;
    delivery.append('ORDER', OTHERS);
    delivery.append('ORDER', CREATED);
    delivery.append('ORDER', OTHERS);
    delivery.clock.advance(2 * FLUSH_INTERVAL_MS);
    delivery.endTick();
    delivery.clock.advance(2 * FLUSH_INTERVAL_MS);

    // ORDER: 1 was sent, 4 was not; nothing of PAYMENT is owed up to its head.
    expect(subscriber.behindAt).toEqual([[3, 2]]);
    expect([subscriber.sequences, other.sequences, channel.liveCount]).toEqual([[1], [1, 4], 1]);
  });

  test('settled tells what is owed to live subscribers while a batch is pending', () => {
    const delivery = quietDelivery();
    const { channel } = listen(delivery);
    delivery.append('ORDER', OTHERS);
    expect([channel.settled(0), channel.settled(1)]).toEqual([1, 0]);
    delivery.append('ORDER', CREATED);
    delivery.append('ORDER', OTHERS);
    delivery.append('PAYMENT', 'payment.m-9.u-9.o-9.failed');
    expect([channel.settled(0), channel.settled(1)]).toEqual([1, 1]);
    delivery.endTick();
    expect([channel.settled(0), channel.settled(1)]).toEqual([3, 1]);
  });
});

test('a quiet channel does not keep the segment of its last event from being given up', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const delivery = quietDelivery();
  const { channel } = listen(delivery);
  const tail = delivery.tails.get('ORDER')!;
  const held = ((): WeakRef<object> => {
    delivery.append('ORDER', CREATED);
    delivery.endTick();
    return new WeakRef(tail.read(['order.*.u-1.o-1.*'], 0, 1e9).events[0]!.segment);
  })();
  for (let i = 0; i < 10_000; i++) delivery.append('ORDER', OTHERS);
  tail.evictOldest();

  for (let i = 0; i < 20 && held.deref(); i++) {
    await new Promise((done) => setImmediate(done));
    collect();
  }

  expect(held.deref()).toBeUndefined();
  expect(channel.liveCount).toBe(1);
});

// Were each one that leaves looked for in a list of all, this would take longer than a test may.
test('very many channels that share a filter leave it as fast as they came', () => {
  const delivery = createDelivery();
  const resolved = resolve(CUSTOMER, 'order:o-1');
  const listening = Array.from({ length: 30_000 }, (_, i) => {
    const channel = delivery.channels.acquire({ ...resolved, id: `${resolved.id} ${i}` });
    const subscriber = new FakeSubscriber();
    delivery.channels.join(channel, subscriber);
    return { channel, subscriber };
  });

  for (const { channel, subscriber } of listening.slice(1)) delivery.channels.leave(channel, subscriber);
  delivery.append('ORDER', CREATED);
  delivery.endTick();
  expect(listening.map(({ subscriber }) => subscriber.sequences.length).filter((count) => count > 0)).toEqual([1]);
});

import { packValue, type Encoding } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { Segment } from '../log/segment.ts';
import { buildChunk, needsColdRead, type ColdBuffer, type Cursor } from './catch-up.ts';
import { ADMIN, createDelivery, CUSTOMER, eventsOf, resolve, type Delivery } from './delivery.fixture.ts';
import type { LiveChannel } from './live-channel.ts';

const CREATED = 'order.m-1.u-1.o-1.created';
const OTHERS = 'order.m-2.u-2.o-2.created';
const PAID = 'payment.m-1.u-1.o-1.confirmed';

const acquire = ({ channels }: Delivery, who = CUSTOMER, name = 'order:o-1'): LiveChannel =>
  channels.acquire(resolve(who, name));
const cursorsAt = (...after: readonly number[]): Cursor[] => after.map((each) => ({ after: each }));
const coldOf = (
  events: readonly (readonly [sequence: number, timeMs: number, subject?: string])[],
  through: number,
): ColdBuffer => {
  const segment = new Segment(events.length);
  for (const [sequence, timeMs, subject = CREATED] of events)
    segment.append(sequence, timeMs, subject, packValue({ cold: sequence }));
  return { segment, next: 0, through };
};

/** Follows the chunks as a subscription does; fails instead of going round for ever. */
const readAll = (
  delivery: Delivery,
  channel: LiveChannel,
  cursors: Cursor[],
  maxBytes: number,
  encoding: Encoding = 'msgpack',
): (readonly [ref: number, sequence: number])[] => {
  const seen: (readonly [number, number])[] = [];
  for (let turns = 0; turns < 1_000; turns++) {
    const chunk = buildChunk(channel, cursors, encoding, maxBytes, delivery.writer, delivery.conflation);
    for (const { ref, sequence } of eventsOf(chunk.bytes, encoding))
      seen.push([channel.streams.findIndex((each) => each.ref === ref), sequence]);
    for (const [stream, after] of chunk.after.entries()) cursors[stream]!.after = after;
    if (chunk.isAtHead) return seen;
  }
  throw new Error('the head was never reached');
};

describe('merging', () => {
  test('events of several streams come by store time, those of a stream in stream order', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    delivery.append('ORDER', CREATED, undefined, { timeMs: 10 });
    delivery.append('PAYMENT', PAID, undefined, { timeMs: 5 });
    delivery.append('PAYMENT', PAID, undefined, { timeMs: 15 });
    delivery.append('ORDER', CREATED, undefined, { timeMs: 15 });
    delivery.append('ORDER', CREATED, undefined, { timeMs: 20 });

    expect(readAll(delivery, channel, cursorsAt(0, 0), 1e6)).toEqual([
      [1, 1],
      [0, 1],
      [0, 2],
      [1, 2],
      [0, 3],
    ]);
  });

  test('a store time that steps back, when another server leads, holds nothing up for ever', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (let i = 0; i < 300; i++) {
      delivery.append('ORDER', CREATED, undefined, { timeMs: i < 256 ? 1_000 - i : 700 });
      delivery.append('PAYMENT', PAID, undefined, { timeMs: i % 7 === 0 ? 2_000 : 600 });
    }

    const seen = readAll(delivery, channel, cursorsAt(0, 0), 500);

    for (const stream of [0, 1]) {
      expect(seen.filter(([from]) => from === stream).map(([, sequence]) => sequence)).toEqual(
        Array.from({ length: 300 }, (_, i) => i + 1),
      );
    }
  });

  test('the same with cold buffers', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (const tail of delivery.tails.values()) tail.begin('e', 100);
    delivery.append('ORDER', CREATED, undefined, { timeMs: 60 });
    delivery.append('PAYMENT', PAID, undefined, { timeMs: 10 });
    const cursors: Cursor[] = [
      {
        after: 0,
        cold: coldOf(
          [
            [1, 50],
            [2, 30],
            [3, 90],
            [4, 20],
          ],
          99,
        ),
      },
      {
        after: 0,
        cold: coldOf(
          [
            [1, 40, PAID],
            [2, 10, PAID],
          ],
          99,
        ),
      },
    ];

    const seen = readAll(delivery, channel, cursors, 1e6);

    expect(seen.filter(([from]) => from === 0).map(([, sequence]) => sequence)).toEqual([1, 2, 3, 4, 100]);
    expect(seen.filter(([from]) => from === 1).map(([, sequence]) => sequence)).toEqual([1, 2, 100]);
  });
});

describe('cursors', () => {
  test('move past what does not match, to the head', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (let i = 0; i < 10; i++) delivery.append('ORDER', OTHERS);

    const chunk = buildChunk(channel, cursorsAt(0, 0), 'msgpack', 1e6, delivery.writer, delivery.conflation);

    expect(chunk).toMatchObject({ events: 0, after: [10, 0], isAtHead: true });
    expect(chunk.bytes.length).toBe(0);
  });

  test('move past refused events, which are in no chunk', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    delivery.append('ORDER', CREATED, Uint8Array.of(0x81));

    expect(buildChunk(channel, cursorsAt(0, 0), 'json', 1e6, delivery.writer, delivery.conflation)).toMatchObject({
      events: 0,
      after: [1, 0],
      isAtHead: true,
    });
  });

  // Events less cold ones are those of the tail: a counter that went down, and /metrics answered nothing any more.
  test('refused events of a cold buffer are not counted as sent', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    const segment = new Segment(2);
    segment.append(3, 1, CREATED, Uint8Array.of(0x81));
    segment.append(4, 2, CREATED, packValue({ cold: 4 }));
    const cursors: Cursor[] = [{ after: 0, cold: { segment, next: 0, through: 9 } }, { after: 0 }];

    expect(buildChunk(channel, cursors, 'msgpack', 1e6, delivery.writer, delivery.conflation)).toMatchObject({
      events: 1,
      coldEvents: 1,
    });
  });

  test('before the tail a cold read is needed, unless its answer is in hand', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (const tail of delivery.tails.values()) tail.begin('e', 10);

    expect(needsColdRead(channel, cursorsAt(9, 9))).toBeUndefined();
    expect(needsColdRead(channel, cursorsAt(9, 8))).toBe(1);
    expect(needsColdRead(channel, cursorsAt(8, 0))).toBe(0);
    expect(needsColdRead(channel, [{ after: 0, cold: coldOf([[3, 1]], 9) }, { after: 9 }])).toBeUndefined();
  });

  test('a cold buffer is sent once, counted, and hands over to the tail where it ends', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (const tail of delivery.tails.values()) tail.begin('e', 10);
    delivery.append('ORDER', CREATED);
    const cursors: Cursor[] = [
      {
        after: 0,
        cold: coldOf(
          [
            [3, 1],
            [4, 2],
          ],
          9,
        ),
      },
      { after: 9 },
    ];

    const first = buildChunk(channel, cursors, 'msgpack', 1e6, delivery.writer, delivery.conflation);

    expect(first).toMatchObject({ events: 2, coldEvents: 2, after: [9, 9], isAtHead: false });
    expect(cursors[0]!.cold).toBeUndefined();
    cursors[0]!.after = 9;
    expect(buildChunk(channel, cursors, 'msgpack', 1e6, delivery.writer, delivery.conflation)).toMatchObject({
      events: 1,
      coldEvents: 0,
      after: [10, 9],
      isAtHead: true,
    });
  });
});

describe('shared chunks', () => {
  const chunkOf = (
    delivery: Delivery,
    channel: LiveChannel,
    after: readonly number[],
    encoding: Encoding = 'msgpack',
  ): ReturnType<typeof buildChunk> =>
    delivery.chunks.chunk(channel, cursorsAt(...after), encoding, 500, delivery.writer);

  const filled = (): Delivery => {
    const delivery = createDelivery();
    for (let i = 0; i < 600; i++) delivery.append('ORDER', CREATED);
    return delivery;
  };

  test('sessions with one channel, cursor and encoding get the very same bytes', () => {
    const delivery = filled();
    const channel = acquire(delivery);

    const chunk = chunkOf(delivery, channel, [0, 0]);

    expect(chunkOf(delivery, channel, [0, 0]).bytes).toBe(chunk.bytes);
    expect(chunkOf(delivery, channel, [0, 0], 'json').bytes).not.toBe(chunk.bytes);
    expect(chunkOf(delivery, channel, [1, 0]).bytes).not.toBe(chunk.bytes);
    expect(chunkOf(delivery, acquire(delivery, ADMIN), [0, 0]).bytes).not.toBe(chunk.bytes);
    // The writer's next batch must not write into a kept one.
    expect(eventsOf(chunk.bytes)[0]).toMatchObject({ sequence: 1, data: { n: 1 } });
  });

  test('a channel that was given up and is wanted again has other refs: what was framed for the first one is void', () => {
    const delivery = filled();
    const first = acquire(delivery);
    chunkOf(delivery, first, [0, 0]);
    delivery.channels.release(first);
    const second = acquire(delivery);

    const events = eventsOf(chunkOf(delivery, second, [0, 0]).bytes);

    expect(new Set(events.map(({ ref }) => ref))).toEqual(new Set([second.streams[0]!.ref]));
  });

  test('a chunk that ended at the head is void once the head has moved', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    delivery.append('ORDER', CREATED);
    const before = chunkOf(delivery, channel, [0, 0]);
    expect([before.isAtHead, chunkOf(delivery, channel, [0, 0])]).toEqual([true, before]);
    delivery.append('PAYMENT', PAID);

    const after = chunkOf(delivery, channel, [0, 0]);

    expect(after).toMatchObject({ events: 2, after: [1, 1], isAtHead: true });
  });

  test('another generation of a stream shares nothing with the one before', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    delivery.append('ORDER', CREATED, packValue({ of: 'old' }));
    chunkOf(delivery, channel, [0, 0]);
    delivery.tails.get('ORDER')!.begin('ORDER-2', 1);
    delivery.append('ORDER', CREATED, packValue({ of: 'new' }));

    expect(eventsOf(chunkOf(delivery, channel, [0, 0]).bytes)).toMatchObject([{ data: { of: 'new' } }]);
  });

  test('what came from JetStream for one session is not kept for others', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery);
    for (const tail of delivery.tails.values()) tail.begin('e', 10);
    delivery.chunks.chunk(
      channel,
      [{ after: 9, cold: coldOf([[3, 1]], 9) }, { after: 9 }],
      'msgpack',
      500,
      delivery.writer,
    );

    expect(delivery.chunks.byteLength).toBe(0);
    expect(chunkOf(delivery, channel, [9, 9]).events).toBe(0);
  });

  test('the cache keeps to its budget and gives up the oldest', () => {
    const delivery = createDelivery();
    const channel = acquire(delivery, ADMIN);
    const filler = packValue({ filler: 'x'.repeat(20_000) });
    for (let i = 0; i < 200; i++) delivery.append('ORDER', CREATED, filler);
    const first = chunkOf(delivery, channel, [0, 0]);
    for (let i = 1; i < 190; i++) chunkOf(delivery, channel, [i, 0]);

    expect(delivery.chunks.byteLength).toBeLessThanOrEqual(1024 * 1024);
    expect(delivery.chunks.byteLength).toBeGreaterThan(800_000);
    expect(chunkOf(delivery, channel, [0, 0])).not.toBe(first);
    expect(chunkOf(delivery, channel, [0, 0]).bytes).toEqual(first.bytes);
  });
});

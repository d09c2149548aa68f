import { packValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { Segment } from '../log/segment.ts';
import { headsOf } from '../sessions/heads.ts';
import { buildChunk, type Cursor } from './catch-up.ts';
import { createDelivery, eventsOf, FakeSubscriber, FLUSH_INTERVAL_MS, resolve } from './delivery.fixture.ts';
import { MARKET, MOVED_EVERY_MS, STOCK_EVERY_MS } from './market.fixture.ts';

const WHO = { subject: 'u-1', role: 'customer', claims: {} };
const MOVED = 'ride.r-1.moved';
const STATUS = 'ride.r-1.status';
const MALFORMED = Uint8Array.of(0xc1);

const setUp = (name = 'ride:r-1', options = {}) => {
  const delivery = createDelivery({ catalogue: MARKET, ...options });
  // Nothing was sent on the channel for a while.
  delivery.clock.advance(10_000);
  const channel = delivery.channels.acquire(resolve(WHO, name, MARKET));
  const subscriber = new FakeSubscriber();
  delivery.channels.join(channel, subscriber);
  const append = (subject = MOVED, payload?: Uint8Array, at = {}) =>
    delivery.append(subject.startsWith('ride') ? 'RIDE' : 'SHOP', subject, payload, at);
  const pass = (ms: number) => {
    delivery.endTick();
    delivery.clock.advance(ms);
    delivery.endTick();
  };
  return { ...delivery, append, channel, subscriber, pass };
};

describe('a conflated event', () => {
  test('goes out at once after a quiet spell; those that follow wait, and the newest one comes in time', () => {
    const { append, subscriber, pass, conflation } = setUp();
    append();
    pass(0);
    expect(subscriber.sequences).toEqual([1]);
    for (let i = 0; i < 50; i++) {
      append();
      pass(10);
    }
    expect(subscriber.sequences).toEqual([1]);
    pass(MOVED_EVERY_MS - 500);

    expect(subscriber.sequences).toEqual([1, 51]);
    expect(conflation.leftOutCount).toBe(49);
  });

  test('is never the last one and missing', () => {
    const { append, subscriber, pass, clock } = setUp();
    append();
    pass(0);
    append();
    pass(MOVED_EVERY_MS);

    expect(subscriber.sequences).toEqual([1, 2]);
    expect(clock.pending).toBe(0);
  });

  test('waits for its own interval: of two types the shorter one takes the other along', () => {
    const { append, subscriber, pass } = setUp('town');
    append();
    pass(0);
    append();
    append('sale.s-1.stock');
    pass(STOCK_EVERY_MS - 1);
    expect(subscriber.sequences).toEqual([1]);
    pass(1);

    expect(subscriber.batches.at(-1)!.map(({ type }) => type)).toEqual(['ride.moved', 'sale.stock']);
  });

  test('leaves with an event of another type, in the order of the stream', () => {
    const { append, subscriber, pass } = setUp('town');
    append();
    pass(0);
    append('ride.r-1.moved');
    append('ride.r-2.moved');
    append('ride.r-1.moved');
    append(STATUS);
    append('ride.r-2.moved');
    pass(FLUSH_INTERVAL_MS);

    // r-2 of before the status had been settled when the newer one came.
    expect(subscriber.sequences).toEqual([1, 3, 4, 5, 6]);
  });

  test('is one of each subject', () => {
    const { append, subscriber, pass } = setUp('town');
    append();
    pass(0);
    for (const ride of ['r-1', 'r-2', 'r-3', 'r-1', 'r-2']) append(`ride.${ride}.moved`);
    pass(MOVED_EVERY_MS);

    expect(subscriber.sequences).toEqual([1, 4, 5, 6]);
  });

  test('gives way to no event that nobody gets', () => {
    const { append, subscriber, pass, channel, tails } = setUp();
    append();
    pass(0);
    append();
    append(MOVED, MALFORMED);
    expect(channel.settled(0)).toBe(1);
    pass(MOVED_EVERY_MS);

    expect(subscriber.sequences).toEqual([1, 2]);
    expect(channel.settled(0)).toBe(tails.get('RIDE')!.head);
  });

  test('is not passed by what a ping tells while it is held', () => {
    const { append, channel, pass } = setUp();
    const told = () =>
      headsOf([{ channel, settled: (stream) => channel.settled(stream) }]).map(([, sequence]) => sequence);
    append();
    pass(0);
    append();
    append();
    expect(told()).toEqual([2]);
    pass(MOVED_EVERY_MS);

    expect(told()).toEqual([3]);
  });

  test('that nobody gets is not waited with', () => {
    const { append, channel, pass, clock } = setUp();
    append();
    pass(0);
    append(MOVED, MALFORMED);

    expect(channel.pendingCount).toBe(0);
    expect(channel.settled(0)).toBe(2);
    expect(clock.pending).toBe(0);
  });

  test('gives way to none that expires before it does', () => {
    const { append, subscriber, pass, clock } = setUp('town');
    append('sale.s-1.offer');
    pass(0);
    const nowMs = clock.now();
    append('sale.s-1.offer', undefined, { expiresAtMs: nowMs + 60_000 });
    append('sale.s-1.offer', undefined, { expiresAtMs: nowMs + 100 });
    pass(STOCK_EVERY_MS);

    expect(subscriber.sequences).toEqual([1, 2]);
  });

  test('goes out at once when the clock was set back', () => {
    const { append, subscriber, channel, pass } = setUp();
    append();
    pass(0);
    channel.lastFlushMs += 3_600_000;
    append();
    pass(1);

    expect(subscriber.sequences).toEqual([1, 2]);
  });

  test('leaves before a batch becomes too large for a socket', () => {
    const { append, subscriber, pass, channel } = setUp('town', { maxBatchBytes: 2_000 });
    append();
    pass(0);
    const large = packValue({ at: 1, filler: 'x'.repeat(500) });
    for (let i = 0; i < 20; i++) append(`ride.r-${i}.moved`, large);

    expect(channel.pendingBytes).toBeLessThan(2_000);
    expect(subscriber.sequences.length).toBeGreaterThan(10);
  });
});

describe('one who cannot wait for it', () => {
  test('falls behind before what was held, and finds it in the tail', () => {
    const { append, subscriber, pass, channel, writer, conflation } = setUp();
    append();
    pass(0);
    for (let i = 0; i < 5; i++) append();
    subscriber.isFull = true;
    pass(MOVED_EVERY_MS);
    expect(subscriber.behindAt).toEqual([[5]]);
    const chunk = buildChunk(channel, [{ after: 5 }], 'msgpack', 1e6, writer, conflation);

    expect(eventsOf(chunk.bytes).map(({ sequence }) => sequence)).toEqual([6]);
  });

  test('who joins while it is held gets it once', () => {
    const { append, pass, channel, channels, writer, conflation, subscriber } = setUp();
    append();
    pass(0);
    append();
    append();
    const joiner = new FakeSubscriber();
    const chunk = buildChunk(channel, [{ after: 0 }], 'msgpack', 1e6, writer, conflation);
    channels.join(channel, joiner);
    pass(2 * MOVED_EVERY_MS);

    expect(eventsOf(chunk.bytes).map(({ sequence }) => sequence)).toEqual([3]);
    expect(joiner.sequences).toEqual([]);
    expect(subscriber.sequences).toEqual([1, 3]);
  });
});

describe('catching up', () => {
  const catchUp = ({ channel, writer, conflation }: ReturnType<typeof setUp>, cursor: Cursor, maxBytes = 1e6) => {
    const chunk = buildChunk(channel, [cursor], 'msgpack', maxBytes, writer, conflation);
    return { ...chunk, sequences: eventsOf(chunk.bytes).map(({ sequence }) => sequence) };
  };

  test('sends the newest of each subject, from many pages in one chunk', () => {
    const bench = setUp();
    for (let i = 0; i < 5_000; i++) bench.append(i === 2_000 ? STATUS : MOVED, packValue({ at: i, status: 'x' }));
    const { sequences, after, isAtHead, events } = catchUp(bench, { after: 0 }, 8_000);

    expect(sequences).toEqual([2_001, 5_000]);
    expect(events).toBe(2);
    expect(after).toEqual([5_000]);
    expect(isAtHead).toBe(true);
  });

  test('sends an older one where the newest cannot be delivered', () => {
    const bench = setUp();
    bench.append();
    bench.append();
    bench.append(MOVED, MALFORMED);

    expect(catchUp(bench, { after: 0 })).toMatchObject({ sequences: [2], after: [3] });
  });

  test('leaves out of a page what a newer one of it stands for, once, in however many chunks it is sent', () => {
    const { channel, writer, conflation } = setUp();
    const segment = new Segment(40);
    for (let i = 1; i <= 40; i++) segment.append(i, i, i % 4 === 0 ? STATUS : MOVED, packValue({ at: i }));
    const cursors: Cursor[] = [{ after: 0, cold: { segment, next: 0, through: 40 } }];
    const chunks: number[][] = [];
    while (cursors[0]!.cold) {
      const chunk = buildChunk(channel, cursors, 'msgpack', 16, writer, conflation);
      cursors[0]!.after = chunk.after[0]!;
      chunks.push(eventsOf(chunk.bytes).map(({ sequence }) => sequence));
    }

    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.flat()).toEqual([4, 8, 12, 16, 20, 24, 28, 32, 36, 39, 40]);
    expect(conflation.leftOutCount).toBe(29);
  });
});

import { packValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { Segment } from '../log/segment.ts';
import { buildChunk } from './catch-up.ts';
import { createDelivery, eventsOf, FakeSubscriber, resolve } from './delivery.fixture.ts';
import { MARKET, MOVED_EVERY_MS } from './market.fixture.ts';

const WHO = { subject: 'u-1', role: 'customer', claims: {} };
const STARTED = 'sale.s-1.started';

const setUp = () => {
  const delivery = createDelivery({ catalogue: MARKET });
  delivery.clock.advance(10_000);
  const channel = delivery.channels.acquire(resolve(WHO, 'town', MARKET));
  const subscriber = new FakeSubscriber();
  delivery.channels.join(channel, subscriber);
  /** A sale that ends in so many ms, as its payload says it, its header, or both. */
  const start = (inMs: number, said: 'payload' | 'json' | 'header' | 'both' = 'both') => {
    const endsAtMs = delivery.clock.now() + inMs;
    const payload = said === 'header' ? {} : { endsAt: new Date(endsAtMs).toISOString() };
    const bytes = said === 'json' ? new TextEncoder().encode(JSON.stringify(payload)) : packValue(payload);
    const isHeaded = said === 'header' || said === 'both';
    return delivery.append('SHOP', STARTED, bytes, isHeaded ? { expiresAtMs: endsAtMs } : {});
  };
  const caughtUp = () => {
    const cursors = channel.streams.map(() => ({ after: 0 }));
    const chunk = delivery.chunks.chunk(channel, cursors, 'msgpack', 1e6, delivery.writer);
    return eventsOf(chunk.bytes).map(({ sequence }) => sequence);
  };
  return { ...delivery, channel, subscriber, start, caughtUp };
};

describe('what has expired', () => {
  test.each(['payload', 'json', 'header', 'both'] as const)('is not sent live, as its %s says', (said) => {
    const { start, endTick, subscriber, gate, channel, tails } = setUp();
    start(-1, said);
    start(0, said);
    start(1, said);
    endTick();

    expect(subscriber.sequences).toEqual([3]);
    expect(gate.expiredCount).toBe(2);
    expect(channel.settled(1)).toBe(tails.get('SHOP')!.head);
  });

  test.each(['payload', 'json', 'header', 'both'] as const)('is not sent from the tail, as its %s says', (said) => {
    const { start, caughtUp, clock } = setUp();
    start(1_000, said);
    start(2_000, said);
    expect(caughtUp()).toEqual([1, 2]);
    clock.advance(1_000);
    expect(caughtUp()).toEqual([2]);
    clock.advance(1_000);

    expect(caughtUp()).toEqual([]);
  });

  test('goes by its header where the payload says otherwise', () => {
    const { append, caughtUp, clock } = setUp();
    const endsAt = new Date(clock.now() + 60_000).toISOString();
    append('SHOP', STARTED, packValue({ endsAt }), { expiresAtMs: clock.now() + 10 });
    clock.advance(10);

    expect(caughtUp()).toEqual([]);
  });

  test('is not sent from a batch that was held', () => {
    const { start, append, endTick, clock, subscriber } = setUp();
    append('RIDE', 'ride.r-1.moved');
    endTick();
    append('SHOP', 'sale.s-1.offer', undefined, { expiresAtMs: clock.now() + 100 });
    clock.advance(MOVED_EVERY_MS);
    endTick();
    expect(subscriber.sequences).toEqual([1]);
    // A busy channel: what comes now waits for the flush interval.
    append('RIDE', 'ride.r-1.status');
    endTick();
    start(1);
    endTick();
    clock.advance(100);
    endTick();

    expect(subscriber.batches.flat().map(({ type }) => type)).toEqual(['ride.moved', 'ride.status']);
  });

  test('does not come back with a clock that is set back', () => {
    const { gate } = setUp();
    let nowMs = 1_000;
    const other = createDelivery({ catalogue: MARKET, gate: { nowMs: () => nowMs } });
    const segment = new Segment(1);
    segment.append(1, 1, STARTED, packValue({ endsAt: 'x' }), 500);
    expect(other.gate.payload(segment, 0, 'msgpack')).toBeUndefined();
    nowMs = 0;

    expect(other.gate.payload(segment, 0, 'msgpack')).toBeUndefined();
    expect(other.gate.expiredCount).toBe(1);
    expect(gate.expiredCount).toBe(0);
  });

  test.each([['never'], [undefined], [17]])('is not an event whose field says %j', (endsAt) => {
    const { append, caughtUp } = setUp();
    append('SHOP', STARTED, packValue(endsAt === undefined ? {} : { endsAt }));

    expect(caughtUp()).toEqual([1]);
  });

  test('is the business of types that expire only', () => {
    const { append, caughtUp } = setUp();
    append('SHOP', 'sale.s-1.stock', packValue({ left: 1, endsAt: '2001-01-01T00:00:00Z' }));

    expect(caughtUp()).toEqual([1]);
  });

  test('is not sent from a page that was read from JetStream', () => {
    const { channel, writer, conflation, clock } = setUp();
    const segment = new Segment(2);
    segment.append(1, 1, STARTED, packValue({}), clock.now());
    segment.append(2, 2, STARTED, packValue({}), clock.now() + 1);
    const cursors = [{ after: 0 }, { after: 0, cold: { segment, next: 0, through: 2 } }];
    const chunk = buildChunk(channel, cursors, 'msgpack', 1e6, writer, conflation);

    expect(eventsOf(chunk.bytes).map(({ sequence }) => sequence)).toEqual([2]);
    expect(chunk).toMatchObject({ events: 1, coldEvents: 1, after: [0, 2] });
  });
});

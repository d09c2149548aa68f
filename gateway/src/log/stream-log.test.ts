import { expect, test } from 'vitest';
import { createDelivery, CUSTOMER, FakeSubscriber, resolve, type Delivery } from '../delivery/delivery.fixture.ts';
import { createStreamLog } from './stream-log.ts';
import type { LogSink } from './log-sink.ts';

const CREATED = 'order.m-1.u-1.o-1.created';

const createBench = (): { delivery: Delivery; sink: LogSink; subscriber: FakeSubscriber; told: string[] } => {
  const delivery = createDelivery();
  const subscriber = new FakeSubscriber();
  const told: string[] = [];
  const sink = createStreamLog({
    tail: delivery.tails.get('ORDER')!,
    channels: delivery.channels,
    onGeneration: (tail, cause) => told.push(`${tail.epoch} ${cause} after ${subscriber.sequences.join()}`),
  });
  sink.begin({ stream: 'ORDER', epoch: 'e-1', created: '' }, 1, 'boot');
  delivery.channels.join(delivery.channels.acquire(resolve(CUSTOMER, 'order:o-1')), subscriber);
  return { delivery, sink, subscriber, told };
};

test('what is appended reaches the tail and who is live; what is skipped moves the head alone', () => {
  const { delivery, sink, subscriber, told } = createBench();
  const tail = delivery.tails.get('ORDER')!;
  sink.append(4, 40, CREATED, new TextEncoder().encode('{"a":1}'));
  sink.skip(7, 70, CREATED);
  delivery.endTick();

  expect(subscriber.batches).toMatchObject([[{ sequence: 4, timeMs: 40, data: { a: 1 } }]]);
  expect([tail.head, tail.headTimeMs, tail.eventCount]).toEqual([7, 70, 1]);
  expect(sink.newestBelow(7)).toEqual({ sequence: 4, timeMs: 40 });
  expect(told).toEqual([]);
});

test('another generation empties the tail; what was pending of the one before still comes, before anybody is reset', () => {
  const { delivery, sink, subscriber, told } = createBench();
  sink.append(4, 40, CREATED, new TextEncoder().encode('{"a":1}'));

  sink.begin({ stream: 'ORDER', epoch: 'e-2', created: '' }, 3, 'new_stream');

  const tail = delivery.tails.get('ORDER')!;
  expect(told).toEqual(['e-2 new_stream after 4']);
  expect([tail.epoch, tail.firstSequence, tail.head, tail.eventCount]).toEqual(['e-2', 3, 2, 0]);
  // The same sequence again is another event.
  sink.append(4, 41, CREATED, new TextEncoder().encode('{"a":2}'));
  delivery.endTick();
  delivery.clock.advance(100);
  expect(subscriber.sequences).toEqual([4, 4]);
});

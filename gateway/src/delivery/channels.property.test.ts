// I1 and I3 on the live path: whatever is appended, flushed, joined, left and refused in whatever order.
import { isSubjectMatch, packValue } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ADMIN,
  createDelivery,
  CUSTOMER,
  FakeSubscriber,
  FLUSH_INTERVAL_MS,
  MERCHANT,
  resolve,
} from './delivery.fixture.ts';
import type { LiveChannel } from './live-channel.ts';

const CHANNELS = [
  resolve(CUSTOMER, 'order:o-1'),
  resolve(ADMIN, 'order:o-1'),
  resolve(CUSTOMER, 'user:u-1'),
  resolve(MERCHANT, 'merchant:m-1'),
];
const ORDER_SUBJECTS = [
  'order.m-1.u-1.o-1.created',
  'order.m-1.u-1.o-1.location_updated',
  'order.m-1.u-2.o-2.status_changed',
  'delivery.m-1.u-1.o-1.arrived',
  'order.m-2.u-2.o-1.created',
];
const PAYMENT_SUBJECTS = ['payment.m-1.u-1.o-1.failed', 'payment.m-1.u-2.o-2.failed', 'payment.m-1.u-1.o-3.confirmed'];

type Step =
  | { readonly kind: 'append'; readonly stream: 'ORDER' | 'PAYMENT'; readonly subject: number; readonly bytes: number }
  | { readonly kind: 'skip'; readonly stream: 'ORDER' | 'PAYMENT' }
  | { readonly kind: 'join' | 'leave' | 'full' | 'drained'; readonly who: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'advance'; readonly ms: number };

const stream = fc.constantFrom<'ORDER' | 'PAYMENT'>('ORDER', 'ORDER', 'PAYMENT');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream,
      subject: fc.nat(20),
      bytes: fc.constantFrom(0, 10, 300),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), stream }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'join' as const, 'leave' as const, 'full' as const, 'drained' as const),
      who: fc.nat(7),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'tick' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 10, 30) }) },
);

interface Stored {
  readonly stream: string;
  readonly sequence: number;
  readonly subject: string;
}

/** What one stay among the live ones owes: every match after its cursors, up to where it ended. */
class Stay {
  readonly subscriber: FakeSubscriber;
  readonly channel: LiveChannel;
  readonly from: readonly number[];
  upTo: readonly number[] | undefined;

  constructor(subscriber: FakeSubscriber, channel: LiveChannel) {
    this.subscriber = subscriber;
    this.channel = channel;
    this.from = channel.streams.map(({ tail }) => tail.head);
  }

  check(log: readonly Stored[], isComplete: boolean): void {
    for (const [index, { tail, filters, ref }] of this.channel.streams.entries()) {
      const upTo = this.upTo?.[index] ?? tail.head;
      const owed = log.filter(
        ({ stream: name, sequence, subject }) =>
          name === tail.stream &&
          sequence > this.from[index]! &&
          sequence <= upTo &&
          filters.some((each) => isSubjectMatch(each, subject)),
      );
      const got = this.subscriber.batches.flat().filter((event) => event.ref === ref);
      const expected = owed.map(({ sequence }) => sequence);
      const seen = got.map(({ sequence }) => sequence);
      // In order, each once, nothing left out; what is still pending may be missing from the end.
      if (isComplete || this.upTo) expect(seen).toEqual(expected);
      else expect(seen).toEqual(expected.slice(0, seen.length));
    }
  }
}

test('a live subscriber gets every event of its channel once and in order, until it leaves or falls behind at an exact cursor', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(100, 700, 1e9), (steps, maxBatchBytes) => {
      const delivery = createDelivery({ maxBatchBytes });
      delivery.clock.advance(1_000);
      const channels = CHANNELS.map((resolved) => delivery.channels.acquire(resolved));
      const log: Stored[] = [];
      const ended: Stay[] = [];
      const live = new Map<number, Stay>();
      const fallen = (): void => {
        for (const [who, stay] of live) {
          const behindAt = stay.subscriber.behindAt[0];
          if (!behindAt) continue;
          stay.upTo = behindAt;
          ended.push(stay);
          live.delete(who);
          expect(stay.subscriber.liveIndex).toBe(-1);
        }
      };
      for (const one of steps) {
        switch (one.kind) {
          case 'append': {
            const subjects = one.stream === 'ORDER' ? ORDER_SUBJECTS : PAYMENT_SUBJECTS;
            const subject = subjects[one.subject % subjects.length]!;
            const sequence = delivery.append(one.stream, subject, packValue({ filler: 'x'.repeat(one.bytes) }));
            log.push({ stream: one.stream, sequence, subject });
            break;
          }
          case 'skip': {
            const tail = delivery.tails.get(one.stream)!;
            tail.skip(tail.head + 1, delivery.clock.now());
            break;
          }
          case 'join': {
            if (live.has(one.who)) break;
            const channel = channels[one.who % channels.length]!;
            const stay = new Stay(new FakeSubscriber(one.who % 2 === 0 ? 'msgpack' : 'json'), channel);
            delivery.channels.join(channel, stay.subscriber);
            live.set(one.who, stay);
            break;
          }
          case 'leave': {
            const stay = live.get(one.who);
            if (!stay) break;
            // Whoever leaves does so at a cursor of its own: what was pending is not owed.
            stay.upTo = stay.channel.streams.map((_, index) => stay.channel.settled(index));
            delivery.channels.leave(stay.channel, stay.subscriber);
            ended.push(stay);
            live.delete(one.who);
            break;
          }
          case 'full':
          case 'drained': {
            const stay = live.get(one.who);
            if (stay) stay.subscriber.isFull = one.kind === 'full';
            break;
          }
          case 'tick':
            delivery.endTick();
            break;
          case 'advance':
            delivery.clock.advance(one.ms);
        }
        fallen();
        for (const stay of live.values()) stay.check(log, false);
      }
      for (let i = 0; i < 3; i++) {
        delivery.endTick();
        delivery.clock.advance(2 * FLUSH_INTERVAL_MS);
      }
      fallen();

      for (const stay of [...live.values(), ...ended]) stay.check(log, true);
      for (const channel of channels) {
        expect(channel.pendingCount).toBe(0);
        expect(channel.liveCount).toBe([...live.values()].filter((stay) => stay.channel === channel).length);
      }
      expect(delivery.clock.pending).toBe(0);
    }),
    { numRuns: 300 },
  );
});

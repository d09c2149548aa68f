// I1, I2 and I3 where events are conflated and expire: whatever is appended, held, flushed, cut and read again.
import { packValue } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDelivery, eventsOf, FakeSubscriber, resolve, type Delivery } from './delivery.fixture.ts';
import type { LiveChannel } from './live-channel.ts';
import { MARKET } from './market.fixture.ts';

const WHO = { subject: 'u-1', role: 'customer', claims: {} };
const SUBJECTS = [
  'ride.r-1.moved',
  'ride.r-2.moved',
  'ride.r-1.status',
  'sale.s-1.stock',
  'sale.s-2.stock',
  'sale.s-1.offer',
  'sale.s-1.started',
];
const CONFLATED = /(moved|stock|offer)$/;
const EXPIRING = /(offer|started)$/;
const MALFORMED = Uint8Array.of(0xc1);

type Step =
  | { readonly kind: 'append'; readonly subject: number; readonly isGood: boolean; readonly lifeMs: number }
  | { readonly kind: 'join' | 'full' | 'drained' | 'cut' | 'read'; readonly who: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      subject: fc.nat(SUBJECTS.length - 1),
      isGood: fc.constantFrom(true, true, true, false),
      lifeMs: fc.constantFrom(-1, 5, 300, 5_000, 60_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('join' as const, 'full' as const, 'drained' as const, 'cut' as const, 'read' as const),
      who: fc.nat(3),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'tick' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 10, 200, 600) }) },
);

interface Stored {
  readonly stream: string;
  readonly sequence: number;
  readonly subject: string;
  readonly isGood: boolean;
  readonly expiresAtMs: number;
}

/** Reads behind the head in small chunks, joins when it is there, goes on where it was when it is cut or too slow. */
class Client {
  readonly #delivery: Delivery;
  readonly #channel: LiveChannel;
  readonly #log: readonly Stored[];
  #subscriber: FakeSubscriber | undefined;
  /** Per stream, while not live. */
  #cursors: number[];
  /** What it has, by stream and sequence. */
  readonly seen = new Set<string>();
  readonly #last = new Map<number, number>();

  constructor(delivery: Delivery, channel: LiveChannel, log: readonly Stored[]) {
    this.#delivery = delivery;
    this.#channel = channel;
    this.#log = log;
    this.#cursors = channel.streams.map(() => 0);
  }

  set isFull(isFull: boolean) {
    if (this.#subscriber) this.#subscriber.isFull = isFull;
  }

  /** One chunk; live once there is no more. */
  read(): void {
    if (this.#subscriber) return;
    const { chunks, channels, writer } = this.#delivery;
    const cursors = this.#cursors.map((after) => ({ after }));
    const chunk = chunks.chunk(this.#channel, cursors, 'msgpack', 100, writer);
    this.#take(eventsOf(chunk.bytes));
    this.#cursors = [...chunk.after];
    if (!chunk.isAtHead) return;
    this.#subscriber = new FakeSubscriber();
    channels.join(this.#channel, this.#subscriber);
  }

  readAll(): void {
    this.check();
    while (!this.#subscriber) this.read();
  }

  /** The connection breaks: what is pending is lost, and the position is what a ping has told. */
  cut(): void {
    if (!this.#subscriber) return;
    this.#cursors = this.#channel.streams.map((_, stream) => this.#channel.settled(stream));
    this.#delivery.channels.leave(this.#channel, this.#subscriber);
    this.#subscriber = undefined;
  }

  /** Looks at what has come since the last time. */
  check(): void {
    const subscriber = this.#subscriber;
    if (subscriber) {
      for (const batch of subscriber.batches.splice(0)) this.#take(batch);
      const [behindAt] = subscriber.behindAt;
      if (behindAt) {
        this.#cursors = [...behindAt];
        this.#subscriber = undefined;
      }
    }
    for (const [stream, { tail }] of this.#channel.streams.entries()) {
      const position = this.#subscriber ? this.#channel.settled(stream) : this.#cursors[stream]!;
      this.checkUpTo(tail.stream, position);
    }
  }

  /** Nothing at or below the position is owed (I2). */
  checkUpTo(stream: string, position: number): void {
    const nowMs = this.#delivery.clock.now();
    for (const event of this.#log) {
      if (event.stream !== stream || event.sequence > position) continue;
      if (!event.isGood || event.expiresAtMs <= nowMs || this.seen.has(keyOf(stream, event.sequence))) continue;
      const successor = this.#log.find(
        (other) =>
          other.subject === event.subject &&
          other.sequence > event.sequence &&
          other.isGood &&
          other.expiresAtMs >= event.expiresAtMs &&
          CONFLATED.test(event.subject) &&
          // It is owed itself, or has come.
          (other.sequence > position || this.seen.has(keyOf(stream, other.sequence))),
      );
      if (!successor) expect.fail(`${stream} ${event.sequence} (${event.subject}) was passed at ${position}`);
    }
  }

  #take(events: ReturnType<typeof eventsOf>): void {
    const nowMs = this.#delivery.clock.now();
    for (const { ref, sequence } of events) {
      const { tail } = this.#channel.streams.find((stream) => stream.ref === ref)!;
      const stored = this.#log.find((each) => each.stream === tail.stream && each.sequence === sequence)!;
      expect(stored.isGood).toBe(true);
      // `check` looks after every step, and time is a step of its own.
      if (nowMs === this.#lookedMs) expect(stored.expiresAtMs).toBeGreaterThan(nowMs);
      expect(sequence).toBeGreaterThan(this.#last.get(ref) ?? 0);
      this.#last.set(ref, sequence);
      this.seen.add(keyOf(tail.stream, sequence));
    }
    this.#lookedMs = nowMs;
  }

  #lookedMs = -1;
}

const keyOf = (stream: string, sequence: number): string => `${stream} ${sequence}`;

test('of what is conflated the newest that can be delivered never goes missing, in order, before or after a cut (I1 to I3)', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(150, 1e9), (steps, maxBatchBytes) => {
      const delivery = createDelivery({ catalogue: MARKET, maxBatchBytes });
      const { clock } = delivery;
      clock.advance(10_000);
      const channel = delivery.channels.acquire(resolve(WHO, 'town', MARKET));
      const log: Stored[] = [];
      const clients = Array.from({ length: 4 }, () => new Client(delivery, channel, log));
      const checkAll = (): void => {
        for (const client of clients) client.check();
      };
      for (const one of steps) {
        switch (one.kind) {
          case 'append': {
            const subject = SUBJECTS[one.subject]!;
            const stream = subject.startsWith('ride') ? 'RIDE' : 'SHOP';
            const expiresAtMs = EXPIRING.test(subject) ? clock.now() + one.lifeMs : Number.POSITIVE_INFINITY;
            const payload = one.isGood ? packValue({ at: 1 }) : MALFORMED;
            const sequence = delivery.append(
              stream,
              subject,
              payload,
              Number.isFinite(expiresAtMs) ? { expiresAtMs } : {},
            );
            log.push({ stream, sequence, subject, isGood: one.isGood, expiresAtMs });
            break;
          }
          case 'join':
            clients[one.who]!.readAll();
            break;
          case 'read':
            clients[one.who]!.read();
            break;
          case 'full':
          case 'drained':
            clients[one.who]!.isFull = one.kind === 'full';
            break;
          case 'cut':
            clients[one.who]!.cut();
            break;
          case 'tick':
            delivery.endTick();
            break;
          case 'advance':
            // In steps, so that what came is looked at when it came.
            for (let passed = 0; passed < one.ms; passed++) {
              clock.advance(1);
              checkAll();
            }
        }
        checkAll();
      }
      for (const client of clients) client.isFull = false;
      for (const client of clients) client.readAll();
      for (let i = 0; i < 3; i++) {
        delivery.endTick();
        clock.advance(2_000);
      }
      checkAll();

      for (const client of clients) {
        for (const { tail } of channel.streams) client.checkUpTo(tail.stream, tail.head);
      }
      expect(channel.pendingCount).toBe(0);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 500 },
  );
});

// I5: what a socket cannot take is bounded, and no event is ever dropped from here.
import { describe, expect, test } from 'vitest';
import type { Connection } from '../transports/transport.ts';
import { Outbox, type SentCounters } from './outbox.ts';

/** A socket that takes `capacity` bytes into the kernel at once; the rest is buffered until `drain`. */
class FakeSocket implements Connection {
  readonly encoding = 'msgpack';
  readonly messages: Uint8Array[] = [];
  buffered = 0;
  asked = 0;
  #capacity: number;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity;
  }

  send(bytes: Uint8Array): boolean {
    this.messages.push(bytes.slice());
    const taken = this.buffered > 0 ? 0 : Math.min(this.#capacity, bytes.length);
    this.#capacity -= taken;
    this.buffered += bytes.length - taken;
    return this.buffered === 0;
  }

  bufferedBytes(): number {
    this.asked++;
    return this.buffered;
  }

  drain(bytes: number): void {
    this.buffered -= Math.min(this.buffered, bytes);
  }

  close(): void {}
}

const counters = (): SentCounters => ({ sentMessages: 0, sentBytes: 0 });
const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);

describe('messages', () => {
  test('what is pushed in a turn leaves as one message, in order', () => {
    const socket = new FakeSocket();
    const outbox = new Outbox(socket, 1_000, counters());
    outbox.push(bytes(2, 1));
    outbox.push(bytes(1, 2));
    expect(socket.messages).toEqual([]);

    outbox.flush();
    outbox.flush();

    expect(socket.messages.map((message) => [...message])).toEqual([[1, 1, 2]]);
  });

  test('are counted as they are handed to the socket, with their bytes', () => {
    const sent = counters();
    const outbox = new Outbox(new FakeSocket(4), 10, sent);
    outbox.push(bytes(2));
    outbox.push(bytes(1));
    expect(sent).toEqual({ sentMessages: 0, sentBytes: 0 });

    outbox.flush();
    outbox.trySend(bytes(5));
    outbox.trySend(bytes(50));

    expect(sent).toEqual({ sentMessages: 2, sentBytes: 8 });
  });

  test('a batch goes out behind what was pushed before it', () => {
    const socket = new FakeSocket();
    const outbox = new Outbox(socket, 1_000, counters());
    outbox.push(bytes(1, 1));

    expect(outbox.trySend(bytes(1, 2))).toBe(true);

    expect(socket.messages.map((message) => [...message])).toEqual([[1], [2]]);
  });

  test('a refused batch sends what was pushed before it, and nothing of itself', () => {
    const socket = new FakeSocket(0);
    const outbox = new Outbox(socket, 100, counters());
    outbox.push(bytes(90, 1));

    expect(outbox.trySend(bytes(20, 2))).toBe(false);

    expect(socket.messages.map(({ length }) => length)).toEqual([90]);
  });

  test('a backlog leaves in messages of some kilobytes that end between frames, so that a link that keeps breaking brings some', () => {
    const socket = new FakeSocket();
    const outbox = new Outbox(socket, 1_000_000, counters());
    const chunk = Uint8Array.from({ length: 100_000 }, (_, at) => at);
    outbox.push(bytes(10, 1));

    outbox.pushEvents(chunk, [9_000, 18_000, 90_000]);
    outbox.flush();

    expect(socket.messages.map(({ length }) => length)).toEqual([18_010, 72_000, 10_000]);
    expect(Buffer.concat(socket.messages).subarray(10).equals(chunk)).toBe(true);
  });
});

describe('budget', () => {
  test('counts what waits here and what the socket holds', () => {
    const outbox = new Outbox(new FakeSocket(50), 100, counters());
    expect(outbox.roomBytes).toBe(100);
    outbox.push(bytes(30));
    expect(outbox.roomBytes).toBe(70);
    outbox.flush();
    expect([outbox.roomBytes, outbox.isCongested]).toEqual([100, false]);
    outbox.push(bytes(40));
    outbox.flush();
    expect([outbox.roomBytes, outbox.isCongested]).toEqual([80, true]);
  });

  test('an idle socket is not even asked, and takes a batch of any size', () => {
    const socket = new FakeSocket();
    const outbox = new Outbox(socket, 100, counters());

    expect(outbox.trySend(bytes(10_000))).toBe(true);

    expect(socket.asked).toBe(0);
  });

  test('a congested socket takes a batch that fits, and no other', () => {
    const outbox = new Outbox(new FakeSocket(0), 100, counters());
    expect(outbox.trySend(bytes(40))).toBe(true);
    expect(outbox.trySend(bytes(61))).toBe(false);
    expect(outbox.trySend(bytes(60))).toBe(true);
    expect([outbox.roomBytes, outbox.trySend(bytes(1))]).toEqual([0, false]);
  });

  test('room comes back as the socket drains, bit by bit', () => {
    const socket = new FakeSocket(0);
    const outbox = new Outbox(socket, 100, counters());
    outbox.trySend(bytes(100));
    socket.drain(30);
    outbox.drained();
    expect([outbox.roomBytes, outbox.isCongested]).toEqual([30, true]);
    socket.drain(70);
    outbox.drained();
    expect([outbox.roomBytes, outbox.isCongested]).toEqual([100, false]);
  });

  test('replies push past the budget; far past it the peer counts as one that never reads', () => {
    const outbox = new Outbox(new FakeSocket(0), 100, counters());
    outbox.trySend(bytes(100));
    for (let i = 0; i < 3; i++) {
      outbox.push(bytes(100));
      outbox.flush();
      expect([outbox.roomBytes, outbox.isOverHardLimit]).toEqual([-100 * (i + 1), false]);
    }
    outbox.push(bytes(1));
    expect(outbox.isOverHardLimit).toBe(true);
  });
});

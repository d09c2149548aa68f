// The load clients' reader: what it counts is what was sent, however the bytes are cut, and nothing else passes.
import { encodeFrame } from '@sluice/schemas';
import { describe, expect, it } from 'vitest';
import { createFrame, createPayload, stampPayload, TYPES } from './load-event.ts';
import { HEADROOM_BYTES, WireReader } from './wire-reader.ts';

const PAYLOAD_BYTES = 150;
const LIVE = Buffer.from(encodeFrame({ kind: 'live', channel: 'order:o-1', position: 'k~e.1.1' }, 'msgpack'));

const eventFrame = (counter: number, sequence: number, size = PAYLOAD_BYTES): Buffer => {
  const type = TYPES[counter % TYPES.length]!;
  const { frame, payloadAt } = createFrame(
    createPayload({ orderId: 'o-1', userId: 'u-1' }, type, size),
    type,
    sequence,
  );
  stampPayload(frame, payloadAt, counter, counter / 2);
  return frame;
};

const message = (opcode: number, body: Buffer): Buffer => {
  const head = body.length < 126 ? [body.length] : [126, body.length >>> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), body]);
};

const readAll = (stream: Buffer, chunkBytes: number): unknown[] => {
  const seen: unknown[] = [];
  const sink = {
    onEvent: (ref: number, sequence: number, _timeMs: number, counter: number, publishedAtMs: number) =>
      seen.push({ ref, sequence, counter, publishedAtMs }),
    onFrame: (bytes: Buffer) => seen.push(Buffer.from(bytes)),
    onControl: (opcode: number, payload: Buffer) => seen.push({ opcode, payload: payload.toString() }),
  };
  const reader = new WireReader(sink, PAYLOAD_BYTES, true);
  const buffer = Buffer.alloc(HEADROOM_BYTES + chunkBytes);
  for (let at = 0; at < stream.length; at += chunkBytes) {
    const length = stream.copy(buffer, HEADROOM_BYTES, at, at + chunkBytes);
    reader.read(buffer, length);
  }
  return seen;
};

/** Sequences of one, three and five bytes. */
const SEQUENCES = [1, 127, 128, 65_535, 65_536, 4_000_000_000];

describe('WireReader', () => {
  const events = SEQUENCES.map((sequence, counter) => eventFrame(counter, sequence));
  const stream = Buffer.concat([
    message(2, LIVE),
    message(2, Buffer.concat(events.slice(0, 4))),
    message(9, Buffer.from('are you there?')),
    ...events.slice(4).map((event) => message(2, event)),
  ]);
  const counted = SEQUENCES.map((sequence, counter) => ({ ref: 1, sequence, counter, publishedAtMs: counter / 2 }));
  const expected = [LIVE, ...counted.slice(0, 4), { opcode: 9, payload: 'are you there?' }, ...counted.slice(4)];

  it.each([1, 2, 3, 7, 100, 191, 1_000, 100_000])('counts every event once in chunks of %i bytes', (chunkBytes) => {
    expect(readAll(stream, chunkBytes)).toEqual(expected);
  });

  it('refuses an event of another size', () => {
    expect(() => readAll(message(2, eventFrame(0, 1, PAYLOAD_BYTES + 1)), 1_000)).toThrow(/another size/);
  });

  it('refuses a frame that its message cuts off', () => {
    expect(() => readAll(message(2, eventFrame(0, 1).subarray(0, -1)), 1_000)).toThrow(/cut off/);
  });

  it('refuses an event with another payload', () => {
    const frame = eventFrame(0, 1);
    frame[frame.length - PAYLOAD_BYTES + 2] = 0x6d;

    expect(() => readAll(message(2, frame), 1_000)).toThrow(/not of this load/);
  });
});

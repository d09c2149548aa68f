// The hand-written event frame is the frame that the definition describes, in both encodings.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDown, encodeFrame, packValue } from './codec.ts';
import { eventHeadJson, MAX_EVENT_HEAD_BYTES, packTypeName, writeEventHead } from './event-frame.ts';
import type { Event } from './frames/event.ts';

// Around every width of an unsigned number, and up to what a sequence can be.
const edges = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000];
const figure = fc.oneof(
  fc.constantFrom(...edges, 2 ** 40, 2 ** 48 + 1, Number.MAX_SAFE_INTEGER),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);
const type = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(...[0, 31, 32, 63, 64, 255, 256, 300, 5_000].map((length) => 't'.repeat(length))),
  fc.constantFrom('é'.repeat(16), '\u{1f9fe}'.repeat(64), 'quote " and \\ and \n'),
);
const event: fc.Arbitrary<Event> = fc.record({
  kind: fc.constant('event'),
  ref: figure,
  sequence: figure,
  timeMs: figure,
  type,
  data: fc
    .dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 2, stringUnit: 'grapheme' }))
    .map((data) => JSON.stringify(data))
    // msgpackr reads the key as `__proto_`.
    .filter((json) => !json.includes('__proto__'))
    .map((json) => JSON.parse(json) as unknown),
});

/** As the gateway's writer does it, at an offset within a larger buffer. */
const byHand = ({ ref, sequence, timeMs, type: name, data }: Event, at: number): Uint8Array => {
  const payload = packValue(data);
  const packedType = packTypeName(name);
  const target = new Uint8Array(at + MAX_EVENT_HEAD_BYTES + packedType.length + payload.length).fill(0xc1);
  const end = writeEventHead(target, at, ref, sequence, timeMs, packedType);
  expect(end - at).toBeLessThanOrEqual(MAX_EVENT_HEAD_BYTES + packedType.length);
  target.set(payload, end);
  return target.subarray(at, end + payload.length);
};

describe('msgpack', () => {
  test('reads like the generic encoding', () => {
    fc.assert(
      fc.property(event, fc.nat(50), (given, at) => {
        const written = decodeDown(byHand(given, at), 'msgpack');

        expect(written).toEqual({ ok: true, value: [given] });
        expect(written).toEqual(decodeDown(encodeFrame(given, 'msgpack'), 'msgpack'));
      }),
      { numRuns: 500 },
    );
  });

  test('several in a row are as many frames', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), (events) => {
        const message = Uint8Array.from(events.flatMap((each) => [...byHand(each, 0)]));

        expect(decodeDown(message, 'msgpack')).toEqual({ ok: true, value: events });
      }),
    );
  });

  test('every edge of every number, exactly', () => {
    for (const ref of edges) {
      for (const sequence of [...edges, 2 ** 32 + 5, 2 ** 53 - 1]) {
        const given: Event = { kind: 'event', ref, sequence, timeMs: 1_700_000_000_000, type: 'a.b', data: {} };

        expect(decodeDown(byHand(given, 3), 'msgpack')).toEqual({ ok: true, value: [given] });
      }
    }
  });
});

describe('JSON', () => {
  test('reads like the generic encoding, on one line', () => {
    fc.assert(
      fc.property(event, (given) => {
        const head = eventHeadJson(given.ref, given.sequence, given.timeMs, JSON.stringify(given.type));
        const line = `${head}${JSON.stringify(given.data)}]\n`;

        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(decodeDown(line, 'json')).toEqual({ ok: true, value: [given] });
        expect(line).toBe(new TextDecoder().decode(encodeFrame(given, 'json')));
      }),
      { numRuns: 500 },
    );
  });
});

// I9, with bytes that nobody thought of.
import { decodeDown, packValue, type Encoding } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Segment } from '../log/segment.ts';
import { createDelivery, type Delivery } from './delivery.fixture.ts';

const SUBJECTS = ['order.m.u.o.created', 'payment.m.u.o.failed', 'order.m.u.o.unknown'];
const json = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 3 });
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.integer({ min: 0x80, max: 0x84 }), fc.uint8Array({ maxLength: 40 }))
    .map(([head, rest]) => Uint8Array.from([head, ...rest])),
  fc
    .array(fc.oneof(fc.integer({ min: 0x80, max: 0xdf }), fc.constantFrom(0xa1, 0x61, 0x01)), { maxLength: 20 })
    .map((list) => Uint8Array.from([0x82, ...list])),
  json.map((data) => packValue(data)),
  json.map((data) => new TextEncoder().encode(JSON.stringify(data))),
  fc.tuple(json, fc.nat(), fc.nat(255)).map(([data, at, byte]) => {
    const bytes = Uint8Array.from(packValue(data));
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
  fc.string({ unit: fc.constantFrom(...'{}[]":,\\ua1 \n') }).map((text) => new TextEncoder().encode(`{${text}`)),
);

// Compiling the schemas takes longer than a run.
const gates = new Map<string, Delivery>();
const gateOf = (validate: 'all' | 'sample' | 'off', onInvalid: 'drop' | 'pass'): Delivery => {
  const id = `${validate} ${onInvalid}`;
  const gate = gates.get(id) ?? createDelivery({ gate: { validate, onInvalid } });
  gates.set(id, gate);
  return gate;
};

test('a batch with whatever payloads in it is read by every client, and only whole events of the log are in it', () => {
  fc.assert(
    fc.property(
      fc.array(hostile, { minLength: 1, maxLength: 6 }),
      fc.constantFrom<Encoding>('msgpack', 'json'),
      fc.constantFrom<'all' | 'sample' | 'off'>('all', 'sample', 'off'),
      fc.constantFrom<'drop' | 'pass'>('drop', 'pass'),
      (payloads, encoding, validate, onInvalid) => {
        const { writer, refusals } = gateOf(validate, onInvalid);
        refusals.length = 0;
        const segment = new Segment(payloads.length);
        for (const [i, payload] of payloads.entries()) segment.append(i + 1, 5, SUBJECTS[i % 3]!, payload);

        writer.begin(encoding);
        for (const i of payloads.keys()) writer.add(i + 1, segment, i);

        const refused = new Set(refusals.map((told) => Number(told.split(' ')[0])));
        if (writer.count === 0) return;
        const decoded = decodeDown(writer.bytes, encoding);
        expect(decoded.ok).toBe(true);
        const frames = decoded.ok ? decoded.value : [];
        expect(frames.length).toBe(writer.count);
        let before = 0;
        for (const frame of frames) {
          expect(frame).toMatchObject({ kind: 'event', timeMs: 5 });
          if (frame.kind !== 'event') return;
          // Each frame is the one that was written for the event, not one that a payload brought along.
          expect(frame.ref).toBe(frame.sequence);
          expect(frame.sequence).toBeGreaterThan(before);
          before = frame.sequence;
          expect(typeof frame.data).toBe('object');
          if (onInvalid === 'drop') expect(refused.has(frame.sequence)).toBe(false);
        }
      },
    ),
    { numRuns: 1_500 },
  );
});

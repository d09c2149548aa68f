// I9: nothing that a producer may publish reaches a client unchecked, breaks a message or ends a pod.
import { packValue, unpackValue, type Encoding } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { Segment } from '../log/segment.ts';
import { createDelivery, eventsOf, ORDERS } from './delivery.fixture.ts';
import { PayloadGate, type PayloadGateOptions } from './payload-gate.ts';

const SUBJECT = 'order.m-1.u-1.o-1.eta_updated';
const GOOD = { orderId: 'o-1', estimatedArrival: '2026-01-01T00:00:00Z', timestamp: '2026-01-01T00:00:00Z' };

interface Judged {
  readonly msgpack: unknown;
  readonly json: unknown;
  readonly refusals: readonly string[];
}

const text = new TextEncoder();
const bytesOf = (payload: string | readonly number[] | object): Uint8Array => {
  if (typeof payload === 'string') return text.encode(payload);
  return Array.isArray(payload) ? Uint8Array.from(payload as number[]) : packValue(payload);
};

const segmentOf = (payload: Uint8Array, subject = SUBJECT): Segment => {
  const segment = new Segment(1);
  segment.append(7, 1_000, subject, payload);
  return segment;
};

const read = (gate: PayloadGate, segment: Segment, encoding: Encoding): unknown => {
  const payload = gate.payload(segment, 0, encoding);
  if (payload === undefined) return undefined;
  const bytes = payload === 'as_stored' ? segment.payload(0) : payload;
  return encoding === 'msgpack'
    ? unpackValue(bytes)
    : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
};

const judge = (
  payload: string | readonly number[] | object,
  options: Partial<PayloadGateOptions> = {},
  subject = SUBJECT,
): Judged => {
  const refusals: string[] = [];
  const gate = new PayloadGate(ORDERS, {
    nowMs: () => 0,
    validate: 'all',
    onInvalid: 'drop',
    onRefused: (_, __, refusal) => refusals.push(refusal),
    ...options,
  });
  const segment = segmentOf(bytesOf(payload), subject);
  return { msgpack: read(gate, segment, 'msgpack'), json: read(gate, segment, 'json'), refusals };
};

describe('a good payload', () => {
  test.each<[string, string | object]>([
    ['msgpack', GOOD],
    ['JSON', JSON.stringify(GOOD)],
    ['JSON of many lines, with room around it', ` \r\n\t${JSON.stringify(GOOD, undefined, 2)}\n`],
  ])('in %s is the same to clients of either encoding', (_, payload) => {
    expect(judge(payload)).toEqual({ msgpack: GOOD, json: GOOD, refusals: [] });
  });

  test('as JSON for a client is one line, whatever its texts hold', () => {
    const gate = new PayloadGate(ORDERS, { validate: 'off', onInvalid: 'pass', onRefused: () => {}, nowMs: () => 0 });
    const odd = { a: 'line\nbreak \u2028 \u2029 "quotes" \\ \u0000 \u{1f9fe}' };
    for (const payload of [packValue(odd), text.encode(JSON.stringify(odd, undefined, 1))]) {
      const json = gate.payload(segmentOf(payload), 0, 'json') as Uint8Array;

      expect(json.includes(0x0a)).toBe(false);
      expect(JSON.parse(new TextDecoder().decode(json))).toEqual(odd);
    }
  });

  test('an open object keeps the fields that its schema does not know', () => {
    expect(judge({ ...GOOD, extra: { deep: [1, null] } }).json).toEqual({ ...GOOD, extra: { deep: [1, null] } });
  });

  test('of two values under one JSON key everybody gets the last, which was judged', () => {
    const twice = `{"orderId":5,${JSON.stringify(GOOD).slice(1)}`;

    expect(judge(twice)).toEqual({ msgpack: GOOD, json: GOOD, refusals: [] });
  });
});

describe('malformed bytes never pass, whatever the configuration', () => {
  const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  const packedDeep = [0x81, 0xa1, 0x61, ...Array.from({ length: 32 }, () => 0x91), 0xc0];
  const forged = [...packValue({}), ...packValue([3, 1, 9, 9, 'order.created', {}])];

  test.each<[string, string | readonly number[]]>([
    ['nothing', []],
    ['a number', [0x05]],
    ['an array', [...packValue([1])]],
    ['a JSON array', '[1]'],
    ['a JSON text', '"x"'],
    ['text', 'hello'],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x7b, 0x7d]],
    ['half a map', [...packValue({ a: 'text' })].slice(0, -1)],
    ['a map and a byte', [...packValue({ a: 1 }), 0xc0]],
    ['a map and a frame of another channel', forged],
    ['JSON and the end of a frame and another frame', '{}]\n[3,1,9,9,"order.created",{}'],
    ['JSON in two', '{}{}'],
    ['half of JSON', '{"a":'],
    ['33 levels', packedDeep],
    ['33 levels of JSON', nested(32)],
    ['200,000 levels of JSON', nested(200_000)],
    ['200,000 levels of msgpack', [0x81, 0xa1, 0x61, ...Array.from({ length: 200_000 }, () => 0x91), 0xc0]],
    ['text that is not UTF-8', [0x81, 0xa1, 0x61, 0xa2, 0xc3, 0x28]],
    ['JSON that is not UTF-8', [0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['a lone surrogate in a long text', `{"a":"\\ud800${'long '.repeat(100)}"}`],
    ['a lone surrogate in a key', '{"\\udc00":1}'],
    ['a lone surrogate in a long key', `{"${'long '.repeat(100)}\\udc00":1}`],
    ['an unknown extension', [0x81, 0xa1, 0x61, 0xd4, 0x01, 0x00]],
    ["msgpackr's record extension", [0x81, 0xa1, 0x61, 0xd4, 0x72, 0x40]],
    ['a map as a key', [0x81, 0x80, 0x01]],
    ['bytes as a key', [0x81, 0xc4, 0x01, 0x00, 0x01]],
    ['a forged count', [0xdf, 0xff, 0xff, 0xff, 0xff]],
  ])('%s', (_, payload) => {
    for (const validate of ['all', 'off'] as const) {
      for (const onInvalid of ['pass', 'drop'] as const) {
        const judged = judge(payload, { validate, onInvalid });

        expect(judged).toMatchObject({ msgpack: undefined, json: undefined });
        expect(judged.refusals.length).toBe(1);
        expect(['malformed', 'not_an_object']).toContain(judged.refusals[0]);
      }
    }
  });
});

describe('what does not fit', () => {
  const WRONG = { orderId: 5 };

  test('is dropped, or passed on and still told', () => {
    expect(judge(WRONG)).toEqual({ msgpack: undefined, json: undefined, refusals: ['schema'] });
    expect(judge(WRONG, { onInvalid: 'pass' })).toEqual({ msgpack: WRONG, json: WRONG, refusals: ['schema'] });
    expect(judge(JSON.stringify(WRONG), { onInvalid: 'pass' })).toEqual({
      msgpack: WRONG,
      json: WRONG,
      refusals: ['schema'],
    });
    expect(judge(WRONG, { validate: 'off' })).toEqual({ msgpack: WRONG, json: WRONG, refusals: [] });
  });

  test('a type that the catalogue does not know is treated alike, also where schemas are off', () => {
    const subject = 'order.m.u.o.unheard_of';

    expect(judge(GOOD, { validate: 'off' }, subject).refusals).toEqual(['unknown_type']);
    expect(judge(GOOD, { validate: 'off' }, subject).json).toBeUndefined();
    expect(judge(GOOD, { onInvalid: 'pass' }, subject)).toEqual({
      msgpack: GOOD,
      json: GOOD,
      refusals: ['unknown_type'],
    });
  });

  test('a sample looks at one event in a hundred', () => {
    const refusals: number[] = [];
    const gate = new PayloadGate(ORDERS, {
      nowMs: () => 0,
      validate: 'sample',
      onInvalid: 'drop',
      onRefused: (_, sequence) => refusals.push(sequence),
    });
    const segment = new Segment(300);
    for (let i = 0; i < 300; i++) segment.append(i, i, SUBJECT, packValue(WRONG));
    for (let i = 0; i < 300; i++) gate.payload(segment, i, 'msgpack');

    expect(refusals).toEqual([0, 100, 200]);
  });
});

describe('each event is judged once', () => {
  test.each<[string, Uint8Array]>([
    ['a refused one', packValue([])],
    ['one that does not fit', packValue({})],
    ['a good one in msgpack', packValue(GOOD)],
    ['a good one in JSON', text.encode(JSON.stringify(GOOD))],
  ])('%s', (_, payload) => {
    const refusals: string[] = [];
    const gate = new PayloadGate(ORDERS, {
      nowMs: () => 0,
      validate: 'all',
      onInvalid: 'pass',
      onRefused: (...told) => refusals.push(told[2]),
    });
    const segment = segmentOf(payload);
    const first = gate.payload(segment, 0, 'json');
    const before = refusals.length;

    for (let i = 0; i < 3; i++) {
      gate.payload(segment, 0, 'msgpack');
      expect(gate.payload(segment, 0, 'json')).toBe(first);
    }

    expect(refusals.length).toBe(before);
    expect(before).toBeLessThanOrEqual(1);
  });
});

describe('the writer', () => {
  const SUBJECTS = [SUBJECT, 'payment.m.u.o.confirmed', 'order.m.u.o.not"in\\the\u{1f9fe}catalogue'];

  test.each<Encoding>(['msgpack', 'json'])(
    'frames good events between refused ones, from payloads of both encodings (%s)',
    (encoding) => {
      const { writer } = createDelivery();
      const segment = new Segment(100);
      const expected: unknown[] = [];
      for (let i = 0; i < 90; i++) {
        const data = { i, filler: 'x'.repeat(i * 150) };
        const payload = [packValue(data), text.encode(JSON.stringify(data, undefined, 1)), text.encode('{"broken":')][
          i % 3
        ]!;
        const subject = SUBJECTS[(i >> 2) % 3]!;
        segment.append(2 ** 32 + i, 1_700_000_000_000 + i, subject, payload);
        const type = ['order.eta_updated', 'payment.confirmed', 'order.not"in\\the\u{1f9fe}catalogue'][(i >> 2) % 3]!;
        if (i % 3 < 2)
          expected.push({ kind: 'event', ref: 300, sequence: 2 ** 32 + i, timeMs: 1_700_000_000_000 + i, type, data });
      }

      writer.begin(encoding);
      for (let i = 0; i < 90; i++) writer.add(300, segment, i);

      expect(writer.count).toBe(60);
      expect(eventsOf(writer.bytes, encoding)).toEqual(expected);
    },
  );

  test('begins afresh, also after a batch that made its buffer grow', () => {
    const { writer } = createDelivery();
    const segment = new Segment(2);
    segment.append(1, 1, SUBJECT, packValue({ big: 'x'.repeat(700_000) }));
    segment.append(2, 2, SUBJECT, packValue({ small: 1 }));
    writer.begin('json');
    writer.add(1, segment, 0);
    const grown = writer.bytes.length;

    writer.begin('msgpack');
    expect([writer.count, writer.bytes.length]).toEqual([0, 0]);
    writer.add(1, segment, 1);

    expect(grown).toBeGreaterThan(700_000);
    expect(eventsOf(writer.bytes)).toMatchObject([{ sequence: 2, data: { small: 1 } }]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeDown, decodeWire, encodeFrame } from './codec.ts';
import type { DownFrame } from './down.ts';
import { MAX_DEPTH } from './msgpack-scan.ts';
import { parseUp } from './up-parser.ts';
import type { UpFrame } from './up.ts';
import type { Encoding } from './version.ts';

const ENCODINGS: readonly Encoding[] = ['msgpack', 'json'];
const encoding = fc.constantFrom(...ENCODINGS);

const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: 'grapheme', maxLength: maxLength / 8 });
const id = fc.integer({ min: 0, max: 0xffff_ffff });
const big = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const frame = <T>(
  kind: string,
  fields: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<Record<string, unknown>> =>
  fc.record({ kind: fc.constant(kind), ...fields } as Record<string, fc.Arbitrary<unknown>>).map(withoutUndefined);
const withoutUndefined = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const first = fc.oneof(
  fc.constantFrom('states', 'all', 'none'),
  fc.record({ last: fc.integer({ min: 1, max: 10_000 }) }),
  fc.record({ sinceMs: fc.integer({ min: 0, max: 86_400_000 }) }),
);
const refs = fc.array(fc.tuple(fc.nat(), text(32)), { maxLength: 4 });

const up = fc.oneof(
  frame('hello', { version: fc.integer(), token: optional(text(400)), agent: optional(text(128)) }),
  frame('subscribe', { id, channel: text(400), position: optional(text(400)), first: optional(first) }),
  frame('unsubscribe', { id, channel: text(400) }),
  frame('auth', { id, token: text(400) }),
  frame('pong', {}),
) as fc.Arbitrary<unknown> as fc.Arbitrary<UpFrame>;

const jsonObject = fc
  .dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' }))
  .map((data) => JSON.stringify(data))
  // msgpackr reads the key as `__proto_`: see below.
  .filter((json) => !json.includes('__proto__'))
  .map((json) => JSON.parse(json) as unknown);
const down = fc.oneof(
  frame('welcome', {
    version: fc.nat(),
    connectionId: text(64),
    pingIntervalMs: fc.nat(),
    subject: text(200),
    limits: fc.record({ maxFrameBytes: fc.nat(), maxSubscriptions: fc.nat() }),
    expiresInMs: optional(big),
  }),
  frame('subscribed', { id, channel: text(400), streams: refs, position: text(400), recovered: fc.boolean() }),
  frame('event', { ref: fc.nat(), sequence: big, timeMs: big, type: text(200), data: jsonObject }),
  frame('live', { channel: text(400), position: text(400) }),
  frame('reset', { channel: text(400), reason: text(64), streams: refs, position: text(400), from: optional(big) }),
  frame('ok', { id }),
  frame('error', {
    code: text(64),
    message: text(400),
    id: optional(id),
    channel: optional(text(400)),
    retryAfterMs: optional(fc.nat()),
  }),
  frame('unsubscribed', { channel: text(400), code: optional(text(64)), id: optional(id) }),
  frame('token_expiring', { inMs: fc.nat() }),
  frame('drain', { withinMs: fc.nat() }),
  frame('ping', { heads: fc.array(fc.tuple(text(32), big, big), { maxLength: 4 }) }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<DownFrame>;

const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const decodeUp = (message: Uint8Array | string, as: Encoding): unknown => {
  const decoded = decodeWire(message, as);
  return decoded.ok ? decoded.value.map(parseUp) : decoded.error;
};
const downOf = (message: Uint8Array | string, as: Encoding): unknown => {
  const decoded = decodeDown(message, as);
  return decoded.ok ? decoded.value : decoded.error;
};

describe('round trip', () => {
  test('what a client sends, one frame or several in a message, is what the gateway reads', () => {
    fc.assert(
      fc.property(fc.array(up, { minLength: 1, maxLength: 4 }), encoding, (frames, as) => {
        const message = join(frames.map((each) => encodeFrame(each, as)));

        expect(decodeUp(message, as)).toEqual(frames);
      }),
      { numRuns: 500 },
    );
  });

  test('what a gateway sends is what the client reads, from bytes and from text', () => {
    fc.assert(
      fc.property(fc.array(down, { minLength: 1, maxLength: 4 }), encoding, (frames, as) => {
        const message = join(frames.map((each) => encodeFrame(each, as)));

        expect(downOf(message, as)).toEqual(frames);
        if (as === 'json') expect(downOf(new TextDecoder().decode(message), as)).toEqual(frames);
      }),
      { numRuns: 1_000 },
    );
  });

  test('fields that a newer peer adds at the end are ignored, kinds that it adds are skipped', () => {
    const message = new TextEncoder().encode(
      '[3,1,2,3,"t",{},"new",9]\n[250,"newer"]\n[6,7,null,null,null,{"more":1}]\n',
    );

    expect(downOf(message, 'json')).toEqual([
      { kind: 'event', ref: 1, sequence: 2, timeMs: 3, type: 't', data: {} },
      { kind: 'ok', id: 7 },
    ]);
  });
});

describe('broken messages', () => {
  test('a message that was cut yields nothing, or whole frames where the cut fell between two', () => {
    fc.assert(
      fc.property(fc.array(down, { minLength: 1, maxLength: 3 }), encoding, (frames, as) => {
        const parts = frames.map((each) => encodeFrame(each, as));
        const message = join(parts);
        const whole = new Map<number, number>();
        let at = 0;
        for (const [index, { length }] of parts.entries()) {
          at += length;
          whole.set(at, index + 1);
          // The newline after a JSON frame says nothing that its last bracket has not said.
          if (as === 'json') whole.set(at - 1, index + 1);
        }

        for (let length = 0; length < message.length; length++) {
          const count = whole.get(length);
          expect(downOf(message.slice(0, length), as)).toEqual(
            count === undefined ? 'bad_frame' : frames.slice(0, count),
          );
        }
      }),
    );
  });

  test('whatever bytes come in whatever encoding: a result, never an exception', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.integer({ min: 0x80, max: 0xdf }), { maxLength: 32 }).map((list) => Uint8Array.from(list)),
      fc.string({ unit: fc.constantFrom(...'[]{},:"\\\n 15') }).map((json) => new TextEncoder().encode(json)),
    );
    fc.assert(
      fc.property(bytes, encoding, (message, as) => {
        for (const decoded of [decodeWire(message, as), decodeDown(message, as)]) {
          if (decoded.ok) expect(decoded.value).toBeInstanceOf(Array);
          else expect(decoded.error).toBe('bad_frame');
        }
        decodeUp(message, as);
      }),
      { numRuns: 3_000 },
    );
  });

  test('a changed byte never makes the gateway throw, nor lets a frame of another shape through', () => {
    fc.assert(
      fc.property(up, encoding, fc.nat(), fc.nat(255), (sent, as, where, to) => {
        const message = encodeFrame(sent, as);
        message[where % message.length] = to;

        const decoded = decodeWire(message, as);

        if (!decoded.ok) return;
        for (const wire of decoded.value) {
          const parsed = parseUp(wire);
          if (parsed.kind === 'invalid') expect(typeof parsed.message).toBe('string');
          // What was accepted is a frame that a client may send: it survives its own encoding.
          else expect(decodeUp(encodeFrame(parsed, 'json'), 'json')).toEqual([parsed]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[string, Encoding, readonly number[] | string]>([
    ['an empty message', 'msgpack', []],
    ['an empty text', 'json', ''],
    ['a newline alone', 'json', '\n'],
    ['an empty line between frames', 'json', '[5]\n\n[5]\n'],
    ['an empty array', 'msgpack', [0x90]],
    ['an array that begins with text', 'json', '["5"]'],
    ['a map', 'msgpack', [0x81, 0xa1, 0x61, 0x01]],
    ['a number', 'json', '5'],
    ['a byte behind a frame', 'msgpack', [0x91, 0x05, 0x05]],
    ['a frame in two lines', 'json', '[5,\n1]'],
    ['a frame and half of one', 'json', '[5]\n[5'],
    ['an unknown extension within a frame', 'msgpack', [0x92, 0x06, 0xd4, 0x01, 0x00]],
    ["msgpackr's record extension", 'msgpack', [0x92, 0x06, 0xd4, 0x72, 0x40]],
    ['text that is not UTF-8', 'msgpack', [0x92, 0x06, 0xa2, 0xc3, 0x28]],
    ['JSON that is not UTF-8', 'json', [0x5b, 0x35, 0x2c, 0x22, 0xc3, 0x28, 0x22, 0x5d]],
    ['a byte order mark', 'json', [0xef, 0xbb, 0xbf, 0x5b, 0x35, 0x5d]],
    ['a count that the message cannot hold', 'msgpack', [0xdd, 0xff, 0xff, 0xff, 0xff, 0x05]],
    ['a key that is a map', 'msgpack', [0x92, 0x06, 0x81, 0x80, 0x01]],
    ['200,000 levels of JSON', 'json', `[6,${'['.repeat(200_000)}${']'.repeat(200_000)}]`],
    ['as many that begin in a second line', 'json', `[5]\n[6,${'['.repeat(200_000)}${']'.repeat(200_000)}]`],
    ['34 levels of msgpack', 'msgpack', [0x92, 0x06, ...Array.from({ length: 33 }, () => 0x91), 0xc0]],
    ['34 levels of JSON', 'json', `[6,${'['.repeat(33)}${']'.repeat(33)}]`],
  ])('%s', (_, as, content) => {
    const message = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);

    expect(decodeWire(message, as)).toEqual({ ok: false, error: 'bad_frame' });
    if (typeof content === 'string') expect(decodeWire(content, as)).toEqual({ ok: false, error: 'bad_frame' });
  });
});

// What the payload gate lets through must not end the connection of everybody who receives it.
test.each(ENCODINGS)('an event whose data nests as deep as payloads may is a frame (%s)', (as) => {
  const data: unknown = JSON.parse(`${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}`);
  const message = encodeFrame({ kind: 'event', ref: 1, sequence: 1, timeMs: 1, type: 't', data }, as);

  expect(downOf(message, as)).toMatchObject([{ kind: 'event', data }]);
});

test.each(ENCODINGS)('a key that is called __proto__ gives nobody another prototype (%s)', (as) => {
  const data: unknown = JSON.parse('{"__proto__":{"isAdmin":true}}');
  const message = encodeFrame({ kind: 'event', ref: 1, sequence: 1, timeMs: 1, type: 't', data }, as);

  const [frame] = downOf(message, as) as [{ data: { isAdmin?: boolean } }];

  expect(frame.data.isAdmin).toBeUndefined();
  expect(Object.getPrototypeOf(frame.data)).toBe(Object.prototype);
});

describe('text that has no UTF-8', () => {
  // The gateway cuts the name of a channel that it refuses after 128 characters, perhaps within a pair of surrogates.
  test.each(ENCODINGS)('in a frame does not break the others of its message (%s)', (as) => {
    const message = join([
      encodeFrame({ kind: 'error', code: 'bad_frame', message: 'm', channel: `${'a'.repeat(127)}\ud83d` }, as),
      encodeFrame({ kind: 'ok', id: 1 }, as),
    ]);

    expect(downOf(message, as)).toMatchObject([{ kind: 'error' }, { kind: 'ok', id: 1 }]);
  });
});

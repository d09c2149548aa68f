// Payloads that producers publish by mistake or on purpose, by what the gateway must make of them.
import { encodeFrame, packValue } from '@sluice/schemas';
import { orderPayload } from './order-events.ts';

const bytes = (...values: (number | string)[]): Uint8Array =>
  Buffer.concat(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : Buffer.from([value]))));

const good = orderPayload('order.status_changed', { orderId: 'o-1' }, 0);
const goodJson = JSON.stringify(good);
const goodMsgpack = packValue(good);
const DEPTH = 200_000;

/** Event frames for whatever channel has these refs: what a payload with bytes to spare may try to smuggle in. */
const forgedFrames = (encoding: 'json' | 'msgpack'): Uint8Array[] =>
  Array.from({ length: 40 }, (_, ref) =>
    encodeFrame(
      { kind: 'event', ref, sequence: 1e9, timeMs: 1, type: 'order.status_changed', data: { forged: true } },
      encoding,
    ),
  );

export interface BadPayload {
  payload: Uint8Array;
  /** The label of the counter. */
  reason: 'malformed' | 'not_an_object' | 'schema';
}

const refused = (reason: BadPayload['reason'], payloads: Record<string, Uint8Array | string>) =>
  Object.entries(payloads).map(([name, payload]): [string, BadPayload] => [
    name,
    { payload: Buffer.from(payload), reason },
  ]);

/** Never delivered, whatever is configured. */
export const malformedPayloads: readonly [string, BadPayload][] = [
  ...refused('not_an_object', {
    nothing: '',
    'a blank': ' ',
    text: 'delivered',
    'a number': '42',
    'a JSON text': '"delivered"',
    'a JSON list': '[1,2,3]',
    null: 'null',
    'a byte order mark': bytes(0xef, 0xbb, 0xbf, goodJson),
    'a msgpack list': packValue([1, 2]),
    'a msgpack text': packValue('delivered'),
    'an event frame': forgedFrames('msgpack')[1]!,
    'a reserved byte': bytes(0xc1),
  }),
  ...refused('malformed', {
    'truncated JSON': goodJson.slice(0, -5),
    'JSON and something more': `${goodJson} ${goodJson}`,
    'JSON with a comma too many': '{"orderId":"o-1",}',
    'JSON with a comment': `/* */${goodJson}`.replace('/* */', '{/* */').slice(0, 40),
    'JSON with single quotes': "{'orderId':'o-1'}",
    'JSON followed by frames': Buffer.concat([bytes(`${goodJson}\n`), ...forgedFrames('json')]),
    'JSON that closes its frame': `${goodJson}]\n[3,1,1,1,"order.status_changed",{"forged":true}`,
    'JSON that is not UTF-8': bytes('{"orderId":"', 0xff, 0xfe, '"}'),
    'JSON with half a character': '{"orderId":"\\ud800"}',
    'JSON with a raw line break in a text': '{"orderId":"o\n1"}',
    'JSON 200,000 levels deep': `{"a":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`,
    'JSON 200,000 levels deep, without an end': `{"a":${'['.repeat(DEPTH)}`,
    'JSON 33 levels deep': `{"a":${'['.repeat(32)}${']'.repeat(32)}}`,
    'a msgpack map with bytes after it': Buffer.concat([goodMsgpack, bytes(0xc0)]),
    'a msgpack map with frames after it': Buffer.concat([goodMsgpack, ...forgedFrames('msgpack')]),
    'a msgpack map and another one': Buffer.concat([goodMsgpack, goodMsgpack]),
    'a msgpack map that lacks entries': bytes(0x83, 0xa1, 'a', 1),
    'a msgpack map that lacks a value': bytes(0x81, 0xa1, 'a'),
    'a msgpack map said to have 4 G entries': bytes(0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 'a', 1),
    'a msgpack text said to be 4 GB': bytes(0x81, 0xa1, 'a', 0xdb, 0xff, 0xff, 0xff, 0xff, 'x'),
    'a msgpack list that lacks elements': bytes(0x81, 0xa1, 'a', 0x93, 1),
    'a msgpack map with a number for a key': bytes(0x81, 1, 1),
    'msgpack that is not UTF-8': bytes(0x81, 0xa1, 'a', 0xa2, 0xff, 0xfe),
    'a msgpack extension': bytes(0x81, 0xa1, 'a', 0xd4, 5, 0),
    'a msgpack record of msgpackr': bytes(0x81, 0xa1, 'a', 0xd4, 0x72, 0x40),
    'a reserved msgpack byte': bytes(0x81, 0xa1, 'a', 0xc1),
    'msgpack 200,000 levels deep': Buffer.concat([bytes(0x81, 0xa1, 'a'), Buffer.alloc(DEPTH, 0x91), bytes(1)]),
    'msgpack 200,000 maps deep': Buffer.concat([
      ...Array.from({ length: DEPTH }, () => bytes(0x81, 0xa1, 'a')),
      bytes(1),
    ]),
  }),
];

/** Well formed, and not what the schema of `order.status_changed` says: dropped or passed by configuration. */
export const misfitPayloads: readonly [string, BadPayload][] = refused('schema', {
  'an empty object': '{}',
  'an empty map': bytes(0x80),
  'a status that is a number': JSON.stringify({ ...good, status: 7 }),
  'no status': JSON.stringify({ ...good, status: undefined }),
  'a status without an end': JSON.stringify({ ...good, status: 's'.repeat(10_000) }),
  'an order id that is null': packValue({ ...good, orderId: null }),
  'a partner that is a list': packValue({ ...good, deliveryPartner: [] }),
});

/** Unusual, and fine. */
export const oddPayloads: readonly [string, Uint8Array][] = Object.entries({
  'JSON on many lines': Buffer.from(`\r\n\t ${JSON.stringify(good, null, 2)} \n`),
  'every kind of sign': Buffer.from(
    JSON.stringify({ ...good, message: '\u0000\u001f"\\/\n\r\t\u2028\u{1f680}é]}\u007f' }),
  ),
  'escaped signs': Buffer.from(goodJson.replace('"status"', String.raw`"message":"\u000a[3,1]\ud83d\ude80","status"`)),
  'an unknown status': Buffer.from(JSON.stringify({ ...good, status: 'lost_in_space' })),
  '32 levels': Buffer.from(JSON.stringify({ ...good, deep: JSON.parse('['.repeat(31) + ']'.repeat(31)) as unknown })),
  'almost a megabyte': Buffer.from(JSON.stringify({ ...good, note: 'x'.repeat(1_000_000) })),
  'almost a megabyte of msgpack': Buffer.from(packValue({ ...good, note: 'y'.repeat(1_000_000) })),
  'a thousand fields': Buffer.from(
    JSON.stringify({ ...good, ...Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, i])) }),
  ),
  'numbers at the edges': Buffer.from(
    JSON.stringify({ ...good, n: [2 ** 53, -(2 ** 53), 1e308, -1e-308, 0.1, 4294967296] }),
  ),
});

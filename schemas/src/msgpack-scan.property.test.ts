import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { packValue, unpackValue } from './codec.ts';
import { MAX_DEPTH, ScanFault, scanMsgpack } from './msgpack-scan.ts';

const scan = (bytes: Uint8Array): number => scanMsgpack(bytes, 0, bytes.length);
const isOneValue = (bytes: Uint8Array): boolean => scan(bytes) === bytes.length;
const bytesOf = (...parts: readonly (number | readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat());
const text = new TextEncoder();

// Every head of the format that may travel, written by hand: msgpackr alone would use a few of them only.
const be = (value: bigint, width: number): number[] =>
  Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * (width - 1 - i))) & 0xffn));
const sized = (head: readonly [number, number, number], length: number): fc.Arbitrary<number[]> =>
  fc.constantFrom(...([1, 2, 4] as const).map((width, i) => [head[i]!, ...be(BigInt(length), width)]));
const scalar: fc.Arbitrary<number[]> = fc.oneof(
  fc.integer({ min: 0, max: 0x7f }).map((n) => [n]),
  fc.integer({ min: 0xe0, max: 0xff }).map((n) => [n]),
  fc.constantFrom(0xc0, 0xc2, 0xc3).map((head) => [head]),
  fc
    .tuple(
      fc.constantFrom([0xca, 4], [0xcb, 8], [0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8]),
      fc.bigInt(0n, 2n ** 64n - 1n),
    )
    .map(([[head, width], n]) => [head!, ...be(n, width!)]),
  fc
    .tuple(fc.constantFrom([0xd0, 1], [0xd1, 2], [0xd2, 4], [0xd3, 8]), fc.bigInt(0n, 2n ** 64n - 1n))
    .map(([[head, width], n]) => [head!, ...be(n, width!)]),
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b) => [0xd6, 0xff, ...b]),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => [0xd7, 0xff, ...b]),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((b) => [0xc7, 12, 0xff, ...b]),
  fc.uint8Array({ maxLength: 9 }).chain((b) => sized([0xc4, 0xc5, 0xc6], b.length).map((head) => [...head, ...b])),
);
const string = fc.string({ unit: 'grapheme', maxLength: 8 }).chain((value) => {
  const bytes = [...text.encode(value)];
  const short = bytes.length < 32 ? [fc.constant([0xa0 | bytes.length])] : [];
  return fc.oneof(...short, sized([0xd9, 0xda, 0xdb], bytes.length)).map((head) => [...head, ...bytes]);
});
const { value } = fc.letrec<{ value: number[]; array: number[]; map: number[] }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, string, tie('array'), tie('map')),
  array: fc
    .array(tie('value'), { maxLength: 4 })
    .chain((items) =>
      fc
        .constantFrom(
          [0x90 | items.length],
          [0xdc, ...be(BigInt(items.length), 2)],
          [0xdd, ...be(BigInt(items.length), 4)],
        )
        .map((head) => [...head, ...items.flat()]),
    ),
  map: fc
    .array(fc.tuple(string, tie('value')), { maxLength: 4 })
    .chain((entries) =>
      fc
        .constantFrom(
          [0x80 | entries.length],
          [0xde, ...be(BigInt(entries.length), 2)],
          [0xdf, ...be(BigInt(entries.length), 4)],
        )
        .map((head) => [...head, ...entries.flat(2)]),
    ),
}));
const wellFormed = value.map((list) => Uint8Array.from(list));

describe('well-formed values', () => {
  test('every layout of the format is one value, which msgpackr reads', () => {
    fc.assert(
      fc.property(wellFormed, (bytes) => {
        expect(scan(bytes)).toBe(bytes.length);
        expect(() => unpackValue(bytes)).not.toThrow();
      }),
      { numRuns: 800 },
    );
  });

  test('what msgpackr writes of JSON values is one value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }), (json) => {
        expect(isOneValue(packValue(json))).toBe(true);
      }),
    );
  });

  test('the value is found wherever it lies between others', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, wellFormed, (before, bytes, after) => {
        const all = bytesOf([...before], [...bytes], [...after]);

        const end = scanMsgpack(all, before.length, all.length);

        expect(end).toBe(before.length + bytes.length);
      }),
    );
  });
});

describe('faults', () => {
  test('no value survives losing bytes from its end, nor gaining one', () => {
    fc.assert(
      fc.property(wellFormed, fc.nat(255), (bytes, extra) => {
        for (let length = 0; length < bytes.length; length++)
          expect(scan(bytes.slice(0, length))).toBe(ScanFault.truncated);
        expect(isOneValue(bytesOf([...bytes], extra))).toBe(false);
        expect(scanMsgpack(bytesOf([...bytes], extra), 0, bytes.length)).toBe(bytes.length);
      }),
    );
  });

  test('never reads past the given end, even where more bytes lie there', () => {
    fc.assert(
      fc.property(wellFormed, (bytes) => {
        for (let end = 0; end < bytes.length; end++) expect(scanMsgpack(bytes, 0, end)).toBe(ScanFault.truncated);
      }),
    );
  });

  test('whatever bytes come: no throw, and what is accepted msgpackr can read', () => {
    const likely = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0x80, max: 0xdf }));
    fc.assert(
      fc.property(fc.array(likely, { maxLength: 24 }), (list) => {
        const bytes = Uint8Array.from(list);
        const end = scan(bytes);
        if (end >= 0) expect(() => unpackValue(bytes.subarray(0, end))).not.toThrow();
        else expect(Object.values(ScanFault)).toContain(end);
      }),
      { numRuns: 8_000 },
    );
  });

  test.each([
    ['the reserved head', [0xc1], ScanFault.reserved],
    ['an unknown extension', [0xd4, 0x01, 0x00], ScanFault.extension],
    ["msgpackr's record extension", [0xd4, 0x72, 0x40], ScanFault.extension],
    ['an empty extension', [0xc7, 0x00, 0xff], ScanFault.extension],
    ['a timestamp of 16 bytes', [0xd8, 0xff, ...Array.from({ length: 16 }, () => 0)], ScanFault.extension],
    ['an extension without its type', [0xd6], ScanFault.truncated],
    ['text that is not UTF-8', [0xa2, 0xc3, 0x28], ScanFault.utf8],
    ['a surrogate half in UTF-8', [0xa3, 0xed, 0xa0, 0x80], ScanFault.utf8],
    ['four thousand million elements', [0xdd, 0xff, 0xff, 0xff, 0xff, 0x00], ScanFault.truncated],
    ['as many pairs', [0xdf, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00], ScanFault.truncated],
    ['as many bytes of text', [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61], ScanFault.truncated],
    ['as many bytes', [0xc6, 0xff, 0xff, 0xff, 0xff, 0x61], ScanFault.truncated],
  ])('%s', (_, bytes, fault) => {
    expect(scan(bytesOf(bytes))).toBe(fault);
  });
});

describe('keys of maps', () => {
  test.each([
    ['a number', [0x01]],
    ['nil', [0xc0]],
    ['a map', [0x80]],
    ['an array', [0x91, 0x01]],
    ['bytes', [0xc4, 0x01, 0x00]],
    ['a timestamp', [0xd6, 0xff, 0, 0, 0, 0]],
  ])('%s is no key: readers disagree about it, and some throw', (_, key) => {
    expect(scan(bytesOf(0x81, key, 0x02))).toBe(ScanFault.key);
    expect(scan(bytesOf(0x82, 0xa1, 0x61, 0x02, key, 0x02))).toBe(ScanFault.key);
    expect(scan(bytesOf(0x91, 0x81, 0xa1, 0x61, 0x81, key, 0x02))).toBe(ScanFault.key);
  });

  test('the same values may stand behind a key, in whatever nesting', () => {
    const inner = bytesOf(0x82, 0xa1, 0x61, [0x81, 0xa1, 0x62, 0x01], 0xa1, 0x63, [0x92, 0x80, 0xc0]);

    expect(isOneValue(inner)).toBe(true);
  });
});

describe('depth', () => {
  const nested = (levels: number, open: readonly number[] = [0x91]): Uint8Array =>
    Uint8Array.from([...Array.from({ length: levels }, () => open).flat(), 0xc0]);

  test(`${MAX_DEPTH} levels pass, one more does not`, () => {
    expect(isOneValue(nested(MAX_DEPTH))).toBe(true);
    expect(isOneValue(nested(MAX_DEPTH, [0x81, 0xa0]))).toBe(true);
    expect(scan(nested(MAX_DEPTH + 1))).toBe(ScanFault.depth);
    expect(scan(nested(MAX_DEPTH + 1, [0x81, 0xa0]))).toBe(ScanFault.depth);
  });

  test('two hundred thousand levels neither overflow the stack nor pass', () => {
    expect(scan(nested(200_000))).toBe(ScanFault.depth);
    expect(scanMsgpack(nested(200_000), 0, 200_001, 1_000_000)).toBe(200_001);
  });

  test('siblings do not add up', () => {
    expect(isOneValue(new Packr({ useRecords: false }).pack(Array.from({ length: 5_000 }, () => [[1]])))).toBe(true);
  });
});

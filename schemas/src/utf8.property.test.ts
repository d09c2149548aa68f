import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUtf8 } from './utf8.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const isDecodable = (bytes: Uint8Array): boolean => {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
};

// Bytes at the edges of the ranges that RFC 3629 draws, which uniform bytes hardly ever combine.
const edge = fc.constantFrom(
  ...[0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee],
  ...[0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfe, 0xff],
);

test('agrees with the platform on bytes at the edges', () => {
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 8 }), (list) => {
      const bytes = Uint8Array.from(list);

      expect(isUtf8(bytes, 0, bytes.length)).toBe(isDecodable(bytes));
    }),
    { numRuns: 4_000 },
  );
});

test('agrees on every sequence of up to two bytes, and of three and four that begin one', () => {
  const wrong: string[] = [];
  const check = (...list: number[]): void => {
    const bytes = Uint8Array.from(list);
    if (isUtf8(bytes, 0, bytes.length) !== isDecodable(bytes)) wrong.push(list.join());
  };
  for (let a = 0; a < 256; a++) {
    check(a);
    for (let b = 0; b < 256; b++) check(a, b);
  }
  for (let a = 0xe0; a < 0xf8; a++) {
    for (let b = 0x70; b < 0xd0; b++) {
      for (const c of [0x7f, 0x80, 0xbf, 0xc0]) {
        check(a, b, c);
        for (const d of [0x7f, 0x80, 0xbf, 0xc0]) check(a, b, c, d);
      }
    }
  }

  expect(wrong).toEqual([]);
});

test('well-formed text passes, text that is cut within a character does not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.nat(), (text, at) => {
      const bytes = encoder.encode(text);
      const cut = at % bytes.length;

      expect(isUtf8(bytes, 0, bytes.length)).toBe(true);
      expect(isUtf8(bytes, 0, cut)).toBe(isDecodable(bytes.subarray(0, cut)));
    }),
  );
});

test('looks at the range only, not at what surrounds it', () => {
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 4 }), fc.array(edge, { maxLength: 4 }), fc.array(edge), (a, b, c) => {
      const bytes = Uint8Array.from([...a, ...b, ...c]);

      const isWithin = isUtf8(bytes, a.length, a.length + b.length);

      expect(isWithin).toBe(isDecodable(Uint8Array.from(b)));
    }),
    { numRuns: 2_000 },
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePosition, parsePosition, type Position } from './position.ts';

const word = fc.string({ unit: fc.constantFrom(...'aZ09_-zA'), minLength: 1, maxLength: 32 });
const figure = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.constant(2 ** 53 - 1));
const position: fc.Arbitrary<Position> = fc.record({
  key: word,
  entries: fc.uniqueArray(fc.record({ epoch: word, sequence: figure, timeMs: figure }), {
    selector: ({ epoch }) => epoch,
    maxLength: 6,
  }),
});
const INVALID = { ok: false, error: 'invalid_position' };

test('a position survives its text', () => {
  fc.assert(
    fc.property(position, (given) => {
      expect(parsePosition(encodePosition(given))).toEqual({ ok: true, value: given });
    }),
    { numRuns: 1_000 },
  );
});

test('whatever text comes is refused or is exactly what encodePosition makes of the result', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'k~~~...0aZ-+e \n') }),
    fc
      .tuple(position, fc.nat(), fc.constantFrom('~', '.', '0', 'A', '-', '\n', ' ', 'é', ''))
      .map(([given, at, put]) => {
        const text = encodePosition(given);
        const index = at % (text.length + 1);
        return text.slice(0, index) + put + text.slice(index + 1);
      }),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const parsed = parsePosition(text);
      if (parsed.ok) expect(encodePosition(parsed.value)).toBe(text);
      else expect(parsed).toEqual(INVALID);
    }),
    { numRuns: 4_000 },
  );
});

test.each([
  ['nothing', ''],
  ['no key', '~e.1.1'],
  ['an entry without a time', 'k~e.1'],
  ['a part too many', 'k~e.1.1.1'],
  ['an empty entry', 'k~'],
  ['a sign', 'k~e.-1.1'],
  ['a leading zero', 'k~e.01.1'],
  ['upper case', 'k~e.A.1'],
  ['a number beyond 2^53', 'k~e.2gosa7pa2gw.1'],
  ['a number of twelve digits', 'k~e.100000000000.1'],
  ['a stream twice', 'k~e.1.1~e.2.2'],
  ['a newline at the end', 'k~e.1.1\n'],
  ['a key of 33 characters', 'k'.repeat(33)],
  ['an object', '[object Object]'],
])('%s is no position', (_, text) => {
  expect(parsePosition(text)).toEqual(INVALID);
});

test('a huge text is refused without being taken apart', () => {
  const text = `k${'~e.1.1'.repeat(1_000_000)}`;

  expect(parsePosition(text)).toEqual(INVALID);
});

test('the largest number fits', () => {
  expect(parsePosition('k~e.2gosa7pa2gv.0')).toEqual({
    ok: true,
    value: { key: 'k', entries: [{ epoch: 'e', sequence: Number.MAX_SAFE_INTEGER, timeMs: 0 }] },
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doFiltersOverlap, isSubjectMatch, parseSubjectToken } from './subject.ts';

describe('tokens', () => {
  const unit = fc.constantFrom(
    ...'ab.*> \t\n\r\0',
    'é',
    '\u0085',
    '\u00a0',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\udc00',
    '\u{1f9fe}',
  );
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 140 }),
    fc.string({ unit, maxLength: 50 }),
    fc.anything(),
  );

  test('what passes is one token of a subject, no wildcard, and fits', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const parsed = parseSubjectToken(value);
        if (!parsed.ok) return;
        expect(parsed.value).toBe(value);
        const subject = `order.${parsed.value}.created`;
        expect(subject.split('.').length).toBe(3);
        expect(isSubjectMatch('order.*.created', subject)).toBe(true);
        expect(isSubjectMatch(subject, 'order.other.created')).toBe(false);
        const bytes = new TextEncoder().encode(parsed.value);
        expect(bytes.length).toBeLessThanOrEqual(128);
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)).toBe(value);
        // No byte of it ends a line of the NATS protocol, separates its words or is a control character.
        expect(bytes.every((byte) => byte > 0x20 && byte !== 0x7f)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('usual identities pass', () => {
    for (const value of [
      'u-1',
      'auth0|64f',
      'a@b',
      'x_Y-9',
      'é',
      '\u{1f9fe}',
      '$JS',
      '-',
      '%',
      'a:b',
      'x'.repeat(128),
    ]) {
      expect(parseSubjectToken(value)).toEqual({ ok: true, value });
    }
  });

  test.each<[unknown, string]>([
    [undefined, 'missing'],
    [null, 'missing'],
    [0, 'not_text'],
    [true, 'not_text'],
    [['u-1'], 'not_text'],
    [{ toString: () => 'u-1' }, 'not_text'],
    ['', 'empty'],
    ['x'.repeat(129), 'too_long'],
    ['é'.repeat(65), 'too_long'],
    ['\u{1f9fe}'.repeat(33), 'too_long'],
    ['x'.repeat(1_000_000), 'too_long'],
    ['a.b', 'forbidden_character'],
    ['*', 'forbidden_character'],
    ['a>', 'forbidden_character'],
    ['a b', 'forbidden_character'],
    ['a\r\nPUB x 0', 'forbidden_character'],
    ['a\0', 'forbidden_character'],
    ['\u007f', 'forbidden_character'],
    ['\u0085', 'forbidden_character'],
    ['\u3000', 'forbidden_character'],
    ['\ud800', 'forbidden_character'],
    ['a\udc00b', 'forbidden_character'],
    ['\ud83e\ud83e\uddfe', 'forbidden_character'],
  ])('%j is refused: %s', (value, error) => {
    expect(parseSubjectToken(value)).toEqual({ ok: false, error });
  });

  test('characters at the limit are counted in bytes', () => {
    expect(parseSubjectToken('é'.repeat(64)).ok).toBe(true);
    expect(parseSubjectToken('\u{1f9fe}'.repeat(32)).ok).toBe(true);
    expect(parseSubjectToken(`${'x'.repeat(127)}é`).ok).toBe(false);
  });
});

describe('filters', () => {
  const part = fc.constantFrom('a', 'b', 'c');
  const subject = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  const filter = fc
    .tuple(fc.array(fc.oneof(part, fc.constant('*')), { maxLength: 4 }), fc.boolean())
    .filter(([parts, isOpen]) => parts.length > 0 || isOpen)
    .map(([parts, isOpen]) => [...parts, ...(isOpen ? ['>'] : [])].join('.'));

  /** The definition, as a regular expression. */
  const matches = (wanted: string, given: string): boolean =>
    new RegExp(
      `^${wanted
        .split('.')
        .map((each) => (each === '>' ? '.+' : each === '*' ? '[^.]+' : each))
        .join('\\.')}$`,
    ).test(given);

  // Every subject of up to six tokens, with a token that no filter names: enough for filters of up to five.
  const universe: string[] = [];
  const grow = (head: string, more: number): void => {
    for (const each of ['a', 'b', 'c', 'z']) {
      universe.push(head + each);
      if (more > 0) grow(`${head}${each}.`, more - 1);
    }
  };
  grow('', 4);

  test('matching is the definition', () => {
    fc.assert(
      fc.property(filter, subject, (wanted, given) => {
        expect(isSubjectMatch(wanted, given)).toBe(matches(wanted, given));
      }),
      { numRuns: 3_000 },
    );
  });

  test('two filters overlap exactly if some subject matches both', () => {
    fc.assert(
      fc.property(filter, filter, (left, right) => {
        const isShared = universe.some((each) => matches(left, each) && matches(right, each));

        expect(doFiltersOverlap(left, right)).toBe(isShared);
        expect(doFiltersOverlap(right, left)).toBe(isShared);
      }),
      { numRuns: 300 },
    );
  });

  test('a final > wants at least one token', () => {
    expect(isSubjectMatch('a.>', 'a')).toBe(false);
    expect(doFiltersOverlap('a.>', 'a')).toBe(false);
    expect(doFiltersOverlap('a', 'a.>')).toBe(false);
    expect(isSubjectMatch('>', 'a')).toBe(true);
  });
});

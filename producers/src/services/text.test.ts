import { expect, test } from 'vitest';
import { cleanText, cleanUrl } from './text.ts';

test('text is trimmed and loses its control characters, not its lines', () => {
  expect(cleanText('  a\u0000b\r\nc\t\u202ed\u0007  ', 10)).toEqual({ ok: true, text: 'ab\nc\td' });
  expect(cleanText('<b>&amp;</b>', 100)).toEqual({ ok: true, text: '<b>&amp;</b>' });
});

test('nothing, or nothing but blanks and controls, is no text', () => {
  for (const value of ['', '   ', '\u0000\u0001', undefined]) {
    expect(cleanText(value, 10)).toMatchObject({ ok: false, code: 'empty_text' });
  }
});

test('length counts what people see as characters', () => {
  expect(cleanText('😀'.repeat(10), 10)).toMatchObject({ ok: true });
  expect(cleanText('😀'.repeat(11), 10)).toMatchObject({ ok: false, code: 'text_too_long' });
});

test('only https addresses without a password pass', () => {
  expect(cleanUrl('https://example.org/a b.png')).toBe('https://example.org/a%20b.png');
  const refused = ['http://example.org/', 'javascript:alert(1)', 'https://u:p@example.org/', 'nothing', 7, undefined];
  expect(refused.map(cleanUrl)).toEqual(refused.map(() => undefined));
});

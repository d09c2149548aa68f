import { describe, expect, test } from 'vitest';
import { CLOSE_CODES, ERRORS, isRetryable, mayReconnect, RESET_REASONS } from './codes.ts';
import { errorsPage } from './codes-docs.ts';

describe('close codes', () => {
  test('each has a number of its own in the range that carries its policy', () => {
    const codes = Object.values(CLOSE_CODES);

    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code >= 4000 && code <= 4999).toBe(true);
  });

  // Retired numbers stay out of the table and are listed here, so that nobody gives them a second meaning.
  test('no number has changed its meaning', () => {
    expect(Object.entries(CLOSE_CODES).map(([reason, code]) => `${code} ${reason}`)).toEqual([
      '4000 drain',
      '4001 pong_timeout',
      '4002 hello_timeout',
      '4003 internal',
      '4004 too_many_connections',
      '4005 rate_limited',
      '4006 auth_unavailable',
      '4007 token_expired',
      '4008 overloaded',
      '4500 token_missing',
      '4501 token_invalid',
      '4502 unsupported_version',
      '4503 bad_frame',
      '4504 frame_too_large',
      '4505 hello_expected',
      '4506 subject_mismatch',
    ]);
  });

  test.each([
    [4000, true],
    [4499, true],
    [4500, false],
    [4999, false],
    [5000, true],
    [1000, true],
    [1006, true],
    [3999, true],
  ])('%i: may reconnect is %s', (code, expected) => {
    expect(mayReconnect(code)).toBe(expected);
  });
});

describe('error codes', () => {
  test('a code that nobody knows is not retryable, nor is one that every object has', () => {
    for (const code of ['', 'gone', 'constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect([code, isRetryable(code)]).toEqual([code, false]);
    }
  });

  test('retryable is what the table says', () => {
    for (const [code, { retryable }] of Object.entries(ERRORS))
      expect([code, isRetryable(code)]).toEqual([code, retryable]);
  });
});

test('codes are snake_case, help is a sentence for people', () => {
  const help = [...Object.entries(ERRORS).map(([code, entry]) => [code, entry.help]), ...Object.entries(RESET_REASONS)];
  for (const [code, text] of help) {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(text).toMatch(/^[A-Z].*\.$/);
  }
});

test('docs/ERRORS.md says what the tables say', async () => {
  await expect(errorsPage()).toMatchFileSnapshot('../../docs/ERRORS.md');
});

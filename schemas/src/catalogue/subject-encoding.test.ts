import { describe, expect, test } from 'vitest';
import { decodeSubject, encodeSubject } from './subject-encoding.ts';

describe('the percent encoding of subjects', () => {
  test.each([
    ['u-1', 'u-1'],
    ['auth0|a.b', 'auth0|a%2Eb'],
    ['*', '%2A'],
    ['>', '%3E'],
    ['a b', 'a%20b'],
    ['a:b', 'a%3Ab'],
    ['100%', '100%25'],
    ['a%2Eb', 'a%252Eb'],
    ['a\u0000\u007f\u0085', 'a%00%7F%C2%85'],
    ['\u2028', '%E2%80%A8'],
    ['\ufeff', '%EF%BB%BF'],
    ['josé', 'josé'],
    ['', ''],
  ])('%j is spelled %j, and back', (value, encoded) => {
    expect(encodeSubject(value)).toBe(encoded);
    expect(decodeSubject(encoded)).toEqual({ ok: true, value });
  });

  test.each(['%', '%2', '%2e', '%41', 'a.b', '%FF', '%C2', '%ZZ', 'a b'])('%j is spelled so by nobody', (encoded) => {
    expect(decodeSubject(encoded)).toEqual({ ok: false, error: 'not_encoded' });
  });
});

import { describe, expect, test } from 'vitest';
import { isShallowJson } from './json-scan.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const isShallow = (text: string, maxDepth: number): boolean => isShallowJson(bytesOf(text), maxDepth);

describe('depth', () => {
  test.each([
    ['1', 0],
    ['{}', 1],
    ['[[],[],{"a":[]}]', 3],
    ['{"a":{"b":{"c":1}},"d":[[[]]]}', 4],
  ])('%s nests %i deep', (text, depth) => {
    expect(isShallow(text, depth)).toBe(true);
    expect(isShallow(text, depth - 1)).toBe(depth === 0);
  });

  test('siblings do not add up', () => {
    expect(isShallow(`[${'[],'.repeat(10_000)}[]]`, 2)).toBe(true);
  });

  test('two hundred thousand levels are refused, and quickly', () => {
    expect(isShallow('['.repeat(200_000), 32)).toBe(false);
    expect(isShallow('{"a":'.repeat(200_000), 32)).toBe(false);
  });
});

describe('strings', () => {
  test('brackets in strings do not count', () => {
    expect(isShallow(`{"a":"${'['.repeat(1_000)}","${'{'.repeat(1_000)}":1}`, 1)).toBe(true);
  });

  test('a quote that is escaped does not end the string', () => {
    expect(isShallow(JSON.stringify({ a: `"${'['.repeat(100)}` }), 1)).toBe(true);
    expect(isShallow(JSON.stringify({ a: `\\"${'['.repeat(100)}` }), 1)).toBe(true);
  });

  test('a backslash that is escaped does not escape the quote behind it', () => {
    expect(isShallow(`["\\\\",${'['.repeat(40)}`, 32)).toBe(false);
    expect(isShallow(`["\\\\\\\\",${'['.repeat(40)}`, 32)).toBe(false);
  });

  test('characters of several bytes hold no bracket and no quote', () => {
    expect(isShallow(`["\u225b\u5b22\u{1f9fe}",${'['.repeat(40)}`, 32)).toBe(false);
    expect(isShallow(`["${'\u5b5b\u7b7b'.repeat(100)}"]`, 1)).toBe(true);
  });

  test('a text that ends in the middle of a string or an escape is no fault here', () => {
    expect(isShallow('["abc', 1)).toBe(true);
    expect(isShallow('["abc\\', 1)).toBe(true);
  });
});

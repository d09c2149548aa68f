// The wire cannot change by accident: whoever changes a frame changes the version with it, on purpose.
import { Type, type TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { CLOSE_CODES, ERRORS, RESET_REASONS } from './codes.ts';
import { DOWN_FRAMES } from './down.ts';
import type { FrameDefinition } from './frames/frame.ts';
import { UP_FRAMES } from './up.ts';
import { MIN_PROTOCOL_VERSION, PROTOCOL_VERSION, SUBPROTOCOLS } from './version.ts';

/**
 * Fingerprint of the wire per version. If this fails, either undo the change of the wire, or raise PROTOCOL_VERSION,
 * write its history line and add a row. Optional fields at a frame's end and new codes are compatible: there the row of
 * the present version may be replaced, once docs/PROTOCOL.md says so.
 */
const FINGERPRINTS: Readonly<Record<number, string>> = {
  1: '97e45a948c5618a46002dd7b',
};

const schemaOf = ({ kind, code, fields }: FrameDefinition): unknown => ({
  kind,
  code,
  // The order of fields is their order on the wire.
  order: Object.keys(fields),
  schema: Type.Object(fields as Record<string, TSchema>),
});

const wireOf = (up: readonly FrameDefinition[], down: readonly FrameDefinition[]): string =>
  JSON.stringify({
    up: up.map(schemaOf),
    down: down.map(schemaOf),
    errors: Object.entries(ERRORS).map(([code, { retryable }]) => [code, retryable]),
    closes: CLOSE_CODES,
    resets: Object.keys(RESET_REASONS),
    subprotocols: SUBPROTOCOLS,
  });

const fingerprintOf = async (text: string): Promise<string> => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest).slice(0, 12), (byte) => byte.toString(16).padStart(2, '0')).join('');
};

test('the wire is the one that this protocol version names', async () => {
  expect(await fingerprintOf(wireOf(UP_FRAMES, DOWN_FRAMES))).toBe(FINGERPRINTS[PROTOCOL_VERSION]);
});

test('the fingerprint sees a renamed, retyped, reordered or newly optional field and a changed number', async () => {
  const base: FrameDefinition = { kind: 'x', code: 1, fields: { a: Type.String(), b: Type.Integer() } };
  const changed: FrameDefinition[] = [
    { ...base, kind: 'y' },
    { ...base, code: 2 },
    { ...base, fields: { a: Type.String(), c: Type.Integer() } },
    { ...base, fields: { a: Type.String(), b: Type.Number() } },
    { ...base, fields: { b: Type.Integer(), a: Type.String() } },
    { ...base, fields: { a: Type.String(), b: Type.Optional(Type.Integer()) } },
    { ...base, fields: { a: Type.String({ maxLength: 3 }), b: Type.Integer() } },
  ];

  const prints = await Promise.all([base, ...changed].map((frame) => fingerprintOf(wireOf([frame], []))));

  expect(new Set(prints).size).toBe(changed.length + 1);
});

test('versions are whole numbers in order, each with a fingerprint', () => {
  expect(MIN_PROTOCOL_VERSION).toBeLessThanOrEqual(PROTOCOL_VERSION);
  expect(Object.keys(FINGERPRINTS).map(Number)).toEqual(Array.from({ length: PROTOCOL_VERSION }, (_, i) => i + 1));
});

test.each([
  ['up', UP_FRAMES],
  ['down', DOWN_FRAMES],
] as const)('%s frames have numbers and kinds of their own', (_, frames: readonly FrameDefinition[]) => {
  expect(new Set(frames.map(({ code }) => code)).size).toBe(frames.length);
  expect(new Set(frames.map(({ kind }) => kind)).size).toBe(frames.length);
});

test('no kind is both up and down: the codec finds definitions by kind alone', () => {
  const up = UP_FRAMES.map(({ kind }) => kind as string);

  expect(DOWN_FRAMES.filter(({ kind }) => up.includes(kind))).toEqual([]);
});

test('optional fields come last, as the wire form requires', () => {
  for (const { kind, fields } of [...UP_FRAMES, ...DOWN_FRAMES] as readonly FrameDefinition[]) {
    const optional = Object.values(fields).map((field) => '~optional' in field);

    expect([kind, optional]).toEqual([kind, [...optional].sort()]);
  }
});

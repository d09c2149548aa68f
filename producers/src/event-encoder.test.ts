import { rez, scanMsgpack, unpackValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { ProducerError } from './errors.ts';
import { EventEncoder } from './event-encoder.ts';

const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-17' };
const payload = { orderId: 'o-17', status: 'ready', timestamp: '2026-01-01T00:00:00.000Z' };
const encoder = new EventEncoder(rez, 'msgpack');

const refusalOf = (run: () => unknown): Pick<ProducerError, 'code' | 'details'> => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProducerError) return { code: error.code, details: error.details };
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('encoding an event', () => {
  test('the subject follows the family, the payload is one msgpack value', () => {
    const { subject, bytes } = encoder.encode('order.status_changed', keys, payload);
    expect(subject).toBe('order.m-1.u-1.o-17.status_changed');
    expect(scanMsgpack(bytes, 0, bytes.length)).toBe(bytes.length);
    expect(unpackValue(bytes)).toEqual(payload);
  });

  test('json is the same value as text', () => {
    const { bytes } = new EventEncoder(rez, 'json').encode('order.status_changed', keys, payload);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual(payload);
  });

  test('fields that the schema does not name are kept', () => {
    const { bytes } = encoder.encode('order.status_changed', keys, { ...payload, note: { deep: [1, null, true] } });
    expect(unpackValue(bytes)).toMatchObject({ note: { deep: [1, null, true] } });
  });

  test('a type that the catalogue does not know is refused', () => {
    expect(refusalOf(() => encoder.encode('order.exploded', keys, payload)).code).toBe('unknown_type');
  });

  test('a payload that breaks its schema is refused with path and reason', () => {
    const broken = { ...payload, deliveryPartner: { name: 'Asha', phone: 5 } };
    expect(refusalOf(() => encoder.encode('order.status_changed', keys, broken))).toMatchObject({
      code: 'invalid_payload',
      details: { type: 'order.status_changed', path: 'payload/deliveryPartner/phone', reason: 'must be string' },
    });
  });

  test.each([
    ['', 'empty'],
    ['a.b', 'forbidden_character'],
    ['*', 'forbidden_character'],
    ['>', 'forbidden_character'],
    ['a b', 'forbidden_character'],
    ['x'.repeat(129), 'too_long'],
    [undefined as unknown as string, 'missing'],
    [7 as unknown as string, 'not_text'],
  ])('the key %j is refused: %s', (userId, reason) => {
    expect(refusalOf(() => encoder.encode('order.status_changed', { ...keys, userId }, payload))).toMatchObject({
      code: 'invalid_key',
      details: { path: 'keys/userId', reason },
    });
  });

  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a bigint', 1n],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', new Uint8Array(3)],
    ['not a number', Number.NaN],
    ['half a character', 'x\ud800'],
    ['a value nested too deep', deep(40)],
    ['a cycle', cyclic],
    ['a hole', Array.from({ length: 2 })],
  ])('%s in a field that no schema names is refused with its path', (_, value) => {
    const refusal = refusalOf(() => encoder.encode('order.status_changed', keys, { ...payload, extra: { value } }));
    expect(refusal.code).toBe('invalid_payload');
    expect(refusal.details.path).toMatch(/^payload\/extra\/value/);
  });

  test('a catalogue that contradicts itself is refused', () => {
    const twice = { ...rez, families: [...rez.families, rez.families[0]] };
    expect(refusalOf(() => new EventEncoder(twice, 'json')).code).toBe('invalid_option');
  });
});

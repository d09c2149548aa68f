import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { fieldList } from './field-list.ts';
import { toPlainSchema } from './json-schema.ts';

const { String, Number, Integer, Boolean, Object, Array, Optional, Union, Literal, Null, Unknown, Record } = Type;

test.each([
  ['a, b?, c: number', Object({ a: String(), b: Optional(String()), c: Number() })],
  ['at{lat: number, name?}', Object({ at: Object({ lat: Number(), name: Optional(String()) }) })],
  ['items[{id, n: integer}]', Object({ items: Array(Object({ id: String(), n: Integer() })) })],
  ['ids[], counts[]: integer', Object({ ids: Array(String()), counts: Array(Integer()) })],
  ['status: online or offline', Object({ status: Union([Literal('online'), Literal('offline')]) })],
  ['isOpen: boolean, a: string or null', Object({ isOpen: Boolean(), a: Union([String(), Null()]) })],
  ['data: anything, tags: object', Object({ data: Unknown(), tags: Record(String(), String()) })],
  ['string', String()],
  ['', Object({})],
])('%s', (line, schema) => {
  expect(fieldList(toPlainSchema(schema))).toBe(line);
});

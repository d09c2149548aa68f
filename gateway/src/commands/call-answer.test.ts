// Services are no more trusted to be well-behaved than producers: what no frame could carry is not passed on.
import { decodeDown, encodeFrame } from '@sluice/schemas';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, test } from 'vitest';
import { parseAnswer } from './call-answer.ts';

const validator = Compile(Type.Object({ rank: Type.Number() }));
const parse = (body: string) => parseAnswer(validator, new TextEncoder().encode(body));
const nested = (depth: number): string => `{"ok":true,"data":{"rank":1,"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`;

describe('what no frame could carry is unusable', () => {
  test.each([32, 40, 5_000, 100_000])('nested %d deep', (depth) => {
    expect(parse(nested(depth))).toEqual({ kind: 'unusable', reason: 'is nested too deeply' });
  });

  test.each(['{"ok":true,"data":{"rank":1,"x":"\\ud800"}}', '{"ok":false,"code":"x","reason":"\\udc00!"}'])(
    '%s',
    (body) => {
      expect(parse(body)).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('Unicode') });
    },
  );
});

test('a long answer that does not fit is not explained', () => {
  expect(parse(`{"ok":true,"data":{"rank":"${'x'.repeat(20_000)}"}}`)).toEqual({
    kind: 'unusable',
    reason: 'is wrong: does not fit its schema',
  });
});

test.each([nested(31), '{"ok":true,"data":{"rank":1,"x":"\\ud83d\\ude00"}}'])(
  'what is passed on can be read',
  (body) => {
    const answer = parse(body);
    expect(answer.kind).toBe('data');
    if (answer.kind !== 'data') return;
    for (const encoding of ['msgpack', 'json'] as const) {
      const frame = encodeFrame({ kind: 'result', id: 1, data: answer.data }, encoding);
      expect(decodeDown(frame, encoding)).toEqual({ ok: true, value: [{ kind: 'result', id: 1, data: answer.data }] });
    }
  },
);

import { expect, test } from 'vitest';
import { parseReply } from './reply.ts';

const parse = (body: string) => parseReply(new TextEncoder().encode(body));

test('an acknowledgement names stream and sequence, and says when the id was known', () => {
  expect(parse('{"stream":"ORDER","seq":7}')).toEqual({
    kind: 'stored',
    stream: 'ORDER',
    sequence: 7,
    duplicate: false,
  });
  expect(parse('{"stream":"ORDER","seq":7,"domain":"d","duplicate":true}')).toMatchObject({ duplicate: true });
});

test('a refusal keeps the codes of the server', () => {
  const body =
    '{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"ORDER","seq":0}';
  expect(parse(body)).toEqual({
    kind: 'refused',
    status: 400,
    apiCode: 10_071,
    description: 'wrong last sequence: 5',
  });
});

test.each(['', 'nonsense', 'null', '3', '[]', '{}', '{"stream":1,"seq":2}', '{"stream":"ORDER","seq":"2"}'])(
  'an answer that is no acknowledgement is told apart: %j',
  (body) => {
    expect(parse(body)).toEqual({ kind: 'garbled' });
  },
);

import { expect, test } from 'vitest';
import { parseTailOptions } from './tail-options.ts';

test('a channel is enough', () => {
  expect(parseTailOptions(['order:o-17'])).toEqual({
    channel: 'order:o-17',
    subscribe: {},
    awayMs: 3_000,
    isJson: false,
    count: Number.POSITIVE_INFINITY,
  });
});

test.each([
  [['--since', '10m'], { first: { sinceMs: 600_000 } }],
  [['--since', '1.5h'], { first: { sinceMs: 5_400_000 } }],
  [['--last', '20'], { first: { last: 20 } }],
  [['--first', 'none'], { first: 'none' }],
  [['--from', 'k~e1.5.1'], { position: 'k~e1.5.1' }],
  [['--from=-k~e1.5.1'], { position: '-k~e1.5.1' }],
])('%j starts there', (args, subscribe) => {
  expect(parseTailOptions(['order:o-17', ...args])).toMatchObject({ subscribe });
});

test('a cut, its length, a count and JSON', () => {
  const args = ['order:o-17', '--cut', '500ms', '--away', '1s', '--count', '3', '--json'];

  expect(parseTailOptions(args)).toMatchObject({ cutAfterMs: 500, awayMs: 1_000, count: 3, isJson: true });
});

test.each([
  [[]],
  [['a', 'b']],
  [['a', '--since', 'yesterday']],
  [['a', '--since', '10']],
  [['a', '--last', '0']],
  [['a', '--last', '1e3']],
  [['a', '--first', 'some']],
  [['a', '--from', 'no position']],
  [['a', '--last', '1', '--since', '1s']],
  [['a', '--cut']],
  [['a', '--follow']],
])('%j is refused', (args) => {
  expect(() => parseTailOptions(args)).toThrow(expect.objectContaining({ code: 'bad_arguments' }));
});

test('help is no fault', () => {
  expect(parseTailOptions(['--help'])).toMatchObject({ help: expect.stringContaining('npx sluice tail') });
});

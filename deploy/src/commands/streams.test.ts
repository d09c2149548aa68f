import type { StreamPlan } from '@sluice/producers';
import { describe, expect, test } from 'vitest';
import { diffLines } from './stream-diff.ts';
import { parseStreamsArguments } from './streams.ts';

const DAY_NS = 86_400_000_000_000;

describe('arguments', () => {
  test('the gateway’s settings are the defaults', () => {
    expect(parseStreamsArguments(['apply'], {})).toEqual({ catalogue: 'rez', mode: 'ask', options: {} });
    const env = {
      SLUICE_CATALOGUE: './fleet.js',
      SLUICE_CANARY_STREAM: 'C',
      SLUICE_COMMAND_STREAM: 'K',
      SLUICE_GRANTS_BUCKET: 'g',
      SLUICE_PRESENCE_BUCKET: 'p',
    };
    expect(parseStreamsArguments(['apply', '--yes'], env)).toEqual({
      catalogue: './fleet.js',
      mode: 'yes',
      canaryStream: 'C',
      options: { commandStream: 'K', grantsBucket: 'g', presenceBucket: 'p' },
    });
  });

  test('options win', () => {
    const args = ['apply', '--catalogue', 'orders', '--dry-run', '--replicas', '3', '--max-bytes', '99', '--shrink'];
    expect(parseStreamsArguments(args, { SLUICE_CATALOGUE: 'x' })).toEqual({
      catalogue: 'orders',
      mode: 'dry-run',
      options: { replicas: 3, maxBytes: 99, mayShrink: true },
    });
  });

  test.each([[[]], [['help']], [['apply', '--help']]])('%j asks for help', (args) => {
    expect(parseStreamsArguments(args, {})).toBe('help');
  });

  test.each([
    [['delete']],
    [['apply', 'now']],
    [['apply', '--yes', '--dry-run']],
    [['apply', '--replicas', '0']],
    [['apply', '--replicas', '9']],
    [['apply', '--max-bytes', '1e9']],
    [['apply', '--force']],
  ])('%j is refused', (args) => {
    expect(() => parseStreamsArguments(args, {})).toThrow(expect.objectContaining({ code: 'bad_arguments' }));
  });
});

describe('the difference', () => {
  const plan = (kind: StreamPlan['kind'], fields: StreamPlan['fields'] = []): StreamPlan => ({
    stream: 'ORDER',
    kind,
    fields,
    config: { name: 'ORDER', subjects: ['order.>'], max_age: 7 * DAY_NS, max_bytes: -1, num_replicas: 1 },
  });

  test.each<[string, StreamPlan, string[]]>([
    ['a new one', plan('create'), ['+ ORDER  new: subjects order.>, max_age 7 d, max_bytes unlimited, num_replicas 1']],
    ['nothing', plan('equal'), ['  ORDER  as it should be']],
    [
      'a change',
      plan('change', [
        { field: 'max_age', found: DAY_NS / 2, wanted: 7 * DAY_NS, verdict: 'change' },
        { field: 'subjects', found: ['a.>'], wanted: ['a.>', 'b.>'], verdict: 'change' },
        { field: 'max_bytes', found: 2 ** 31, wanted: 2 ** 20 + 1, verdict: 'shrink' },
        { field: 'allow_direct', found: undefined, wanted: true, verdict: 'change' },
      ]),
      [
        '~ ORDER  max_age: 12 h -> 7 d',
        '         subjects: a.> -> a.> b.>',
        '         max_bytes stays 2 GiB; the catalogue says 1048577 bytes (--shrink)',
        '         allow_direct: unset -> true',
      ],
    ],
    [
      'what cannot be',
      plan('impossible', [{ field: 'storage', found: 'memory', wanted: 'file', verdict: 'impossible' }]),
      ['! ORDER  storage is memory and should be file: no server changes that'],
    ],
  ])('%s', (_, one, lines) => {
    expect(diffLines([one], false)).toEqual(lines);
  });

  test('a shrink that was asked for is called what it is', () => {
    const field = { field: 'max_age', found: 0, wanted: 90_000_000_000, verdict: 'shrink' } as const;

    expect(diffLines([plan('change', [field])], true)).toEqual([
      '~ ORDER  max_age: unlimited -> 90 s, which may lose events',
    ]);
  });
});

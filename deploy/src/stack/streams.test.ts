import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { toStreamConfig } from './streams.ts';

const { streams } = mustCompileCatalogue(rez);

test('every stream of the catalogue can be served: limits retention and direct gets', () => {
  const configs = streams.map((stream) => toStreamConfig(stream));

  expect(configs.map(({ name }) => name)).toEqual(streams.map(({ name }) => name));
  for (const config of configs) {
    expect(config).toMatchObject({ retention: 'limits', storage: 'file', allow_direct: true, discard: 'old' });
    expect(config.subjects?.length).toBeGreaterThan(0);
  }
});

test('a local size limit applies only where the catalogue has none', () => {
  const stream = { name: 'S', subjects: ['s.>'], maxAgeMs: 1_000 };

  expect(toStreamConfig(stream)).toMatchObject({ max_age: 1_000_000_000, max_bytes: -1, num_replicas: 1 });
  expect(toStreamConfig(stream, { maxBytes: 7 }).max_bytes).toBe(7);
  expect(toStreamConfig({ ...stream, maxBytes: 9 }, { maxBytes: 7 }).max_bytes).toBe(9);
});

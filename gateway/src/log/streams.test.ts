import { expect, test } from 'vitest';
import { epochOf, faultsOf } from './streams.ts';

const GOOD = { retention: 'limits', allow_direct: true, max_consumers: -1, subjects: ['order.>', 'delivery.>'] };

test.each([
  [{}, []],
  [{ max_consumers: 1_000 }, []],
  [{ subjects: ['ephemeral.>', '*', 'a.eph.>'] }, []],
  [{ retention: 'interest' }, ['stream_retention']],
  [{ retention: 'workqueue', allow_direct: false }, ['stream_retention', 'stream_no_direct']],
  [{ allow_direct: undefined }, ['stream_no_direct']],
  [{ max_consumers: 63 }, ['stream_max_consumers']],
  [{ subjects: ['>'] }, ['stream_stores_ephemeral']],
  [{ subjects: ['eph.x'] }, ['stream_stores_ephemeral']],
  [{ subjects: ['*.x', 'eph.>'] }, ['stream_stores_ephemeral', 'stream_stores_ephemeral']],
])('a stream with %j has the faults %j', (change, codes) => {
  expect(faultsOf('S', { ...GOOD, ...change }).map((fault) => fault.code)).toEqual(codes);
});

test('an epoch names one life of one stream', () => {
  const epoch = epochOf('ORDER', '2026-11-21T11:07:14.634780165Z');

  expect(epoch).toMatch(/^[\w-]{8}$/);
  expect(epochOf('ORDER', '2026-11-21T11:07:14.634780165Z')).toBe(epoch);
  expect(epochOf('ORDER', '2026-11-21T11:07:14.634780166Z')).not.toBe(epoch);
  expect(epochOf('PAYMENT', '2026-11-21T11:07:14.634780165Z')).not.toBe(epoch);
});

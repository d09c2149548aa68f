import { expect, test } from 'vitest';
import { commandFaultsOf, epochOf, faultsOf } from './streams.ts';

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

const COMMANDS = {
  subjects: ['cmd.>'],
  retention: 'limits',
  discard: 'new',
  discard_new_per_subject: true,
  max_msgs_per_subject: 1,
  max_age: 26 * 3_600_000 * 1_000_000,
};

test.each([
  [{}, []],
  [{ max_age: 0 }, []],
  [{ subjects: ['other', '>'] }, []],
  [{ subjects: ['cmd.note.>'] }, ['stream_subjects']],
  [{ subjects: undefined }, ['stream_subjects']],
  [{ retention: 'workqueue' }, ['stream_retention']],
  [{ max_msgs_per_subject: 2 }, ['stream_repeats']],
  [{ discard: 'old' }, ['stream_repeats']],
  [{ discard_new_per_subject: undefined }, ['stream_repeats']],
  [{ max_age: 25 * 3_600_000 * 1_000_000 }, ['stream_forgets']],
  [{ no_ack: true }, ['stream_no_ack']],
  [{ max_age: 1_000_000_000, discard: 'old', no_ack: true }, ['stream_repeats', 'stream_forgets', 'stream_no_ack']],
])('a stream of commands with %j has the faults %j (I6)', (change, codes) => {
  expect(commandFaultsOf('CMD', { ...COMMANDS, ...change }).map((fault) => fault.code)).toEqual(codes);
});

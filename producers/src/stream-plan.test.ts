import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { mustCompileCatalogue, orders } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { planStream, type FieldVerdict } from './stream-plan.ts';
import { toCommandStreamConfig, toStreamConfig, type Wanted } from './streams.ts';

const DAY_NS = 86_400_000_000_000;
const stream = mustCompileCatalogue(orders).streams.find(({ name }) => name === 'ORDER')!;
const wanted = toStreamConfig({ ...stream, maxBytes: 1_000 }, { replicas: 3 });
const options = { replicas: 3 };

/** As a server tells it: with fields that no catalogue names, and without some that are at their defaults. */
const found = (changes: Partial<StreamConfig> = {}): StreamConfig =>
  ({ ...wanted, max_msgs: 7, max_consumers: 9, metadata: { owner: 'ops' }, ...changes }) as StreamConfig;

const verdictsOf = (changes: Partial<StreamConfig>): [string, FieldVerdict][] =>
  planStream(wanted, found(changes), options).fields.map(({ field, verdict }) => [field, verdict]);

test('a stream that is not there is created as wanted', () => {
  expect(planStream(wanted, undefined)).toEqual({ stream: 'ORDER', kind: 'create', fields: [], config: wanted });
});

test('a stream that is as wanted is left alone, whatever an operator has added', () => {
  expect(planStream(wanted, found(), options)).toMatchObject({ kind: 'equal', fields: [] });
});

test('nothing is left to do once the plan is carried out', () => {
  const { config } = planStream(wanted, found({ max_age: DAY_NS, subjects: ['order.>'] }), options);

  expect(planStream(wanted, config as StreamConfig, options)).toMatchObject({ kind: 'equal', fields: [] });
  expect(config).toMatchObject({ max_age: 7 * DAY_NS, max_msgs: 7, metadata: { owner: 'ops' } });
});

describe('verdicts', () => {
  test.each<[string, Partial<StreamConfig>, [string, FieldVerdict][]]>([
    ['a longer age', { max_age: DAY_NS }, [['max_age', 'change']]],
    ['a shorter age', { max_age: 30 * DAY_NS }, [['max_age', 'shrink']]],
    ['an age where there was none', { max_age: 0 }, [['max_age', 'shrink']]],
    ['more bytes', { max_bytes: 10 }, [['max_bytes', 'change']]],
    ['a limit of bytes where there was none', { max_bytes: -1 }, [['max_bytes', 'shrink']]],
    ['more copies', { num_replicas: 1 }, [['num_replicas', 'change']]],
    ['fewer copies', { num_replicas: 5 }, [['num_replicas', 'shrink']]],
    ['direct gets', { allow_direct: false }, [['allow_direct', 'change']]],
    ['another way to be full', { discard: DiscardPolicy.New }, [['discard', 'change']]],
    ['a shorter duplicate window', { duplicate_window: DAY_NS }, [['duplicate_window', 'shrink']]],
    ['memory', { storage: StorageType.Memory }, [['storage', 'impossible']]],
    ['a work queue', { retention: RetentionPolicy.Workqueue }, [['retention', 'impossible']]],
    ['an interest stream', { retention: RetentionPolicy.Interest }, [['retention', 'change']]],
  ])('%s', (_, changes, verdicts) => {
    expect(verdictsOf(changes)).toEqual(verdicts);
  });
});

test('nothing shrinks unless it may, and what may grow grows', () => {
  const before = found({ max_age: 30 * DAY_NS, max_bytes: 10 });

  const kept = planStream(wanted, before, options);
  expect(kept.kind).toBe('change');
  expect(kept.config).toMatchObject({ max_age: 30 * DAY_NS, max_bytes: 1_000 });

  const cut = planStream(wanted, before, { ...options, mayShrink: true });
  expect(cut.config).toMatchObject({ max_age: 7 * DAY_NS, max_bytes: 1_000 });
});

test('a stream that would only shrink is left alone', () => {
  const plan = planStream(wanted, found({ max_age: 0 }), options);

  expect(plan).toMatchObject({ kind: 'equal', fields: [{ field: 'max_age', verdict: 'shrink' }] });
  expect(plan.config).toEqual(found({ max_age: 0 }));
});

test('what is impossible is so for the whole stream', () => {
  expect(planStream(wanted, found({ storage: StorageType.Memory, max_age: DAY_NS }), options).kind).toBe('impossible');
});

test('copies and bytes that nobody has asked for are no wish', () => {
  const unlimited = toStreamConfig(stream);

  expect(planStream(unlimited, found({ num_replicas: 5, max_bytes: 99 }))).toMatchObject({ kind: 'equal', fields: [] });
});

describe('subjects', () => {
  const planned = (subjects: string[], mayShrink = false): string[] =>
    planStream(wanted, found({ subjects }), { ...options, mayShrink }).config.subjects;

  test('their order means nothing', () => {
    expect(verdictsOf({ subjects: wanted.subjects.toReversed() })).toEqual([]);
  });

  test('missing ones are added, and one that they cover goes into them', () => {
    expect(planned(['order.*.*.*.created'])).toEqual(['order.>', 'delivery.>']);
  });

  test.each([
    [['order.>', 'delivery.>', 'audit.>']],
    // Wider than what the catalogue wants: nothing is missing.
    [['*.>']],
  ])('%j: what an operator has added stays', (subjects) => {
    expect(verdictsOf({ subjects })).toEqual([['subjects', 'shrink']]);
    expect(planned(subjects)).toEqual(subjects);
    expect(planned(subjects, true)).toEqual(['order.>', 'delivery.>']);
  });

  test('both at once', () => {
    expect(planned(['audit.>', 'order.>'])).toEqual(['order.>', 'delivery.>', 'audit.>']);
  });
});

test('the stream of commands can be made of one that was too simple', () => {
  const commands = toCommandStreamConfig();
  const simple = { ...commands, discard: DiscardPolicy.Old, max_msgs_per_subject: -1 } as Wanted & StreamConfig;
  delete (simple as Partial<StreamConfig>).discard_new_per_subject;

  const { fields } = planStream(commands, simple);

  expect(fields.map(({ field, verdict }) => [field, verdict])).toEqual([
    ['discard', 'change'],
    ['discard_new_per_subject', 'change'],
    ['max_msgs_per_subject', 'shrink'],
  ]);
});

// The checker has to find every kind of fault: a checker that cannot fail proves nothing.
import { expect, test } from 'vitest';
import { customerOrderFilters, userFilters } from './channel-filters.ts';
import { type Expectation, type ProblemKind, assertComplete, findProblems } from './checker.ts';
import { type RecordEntry, Recorder } from './recorder.ts';
import type { StreamTruth } from './stream-truth.ts';
import { matchesSubject } from './subject-match.ts';

const EPOCH = 'e1';

/** A stream of `order.m-1.u-1.o-17.status_changed` events with the given sequences; other subjects by sequence. */
function truthOf(sequences: readonly number[], subjects: Record<number, string> = {}): StreamTruth {
  const events = sequences.map((sequence) => ({
    sequence,
    subject: subjects[sequence] ?? 'order.m-1.u-1.o-17.status_changed',
    timeMs: 1_000 + sequence,
    data: { mark: sequence },
    bytes: new Uint8Array(),
  }));
  return { stream: 'ORDER', events, firstSequence: sequences[0] ?? 1, lastSequence: sequences.at(-1) ?? 0 };
}

const event = (sequence: number, change: Partial<RecordEntry & { kind: 'event' }> = {}): RecordEntry => ({
  kind: 'event',
  epoch: EPOCH,
  sequence,
  timeMs: 1_000 + sequence,
  type: 'order.status_changed',
  data: { mark: sequence },
  ...change,
});
const events = (...sequences: number[]): RecordEntry[] => sequences.map((sequence) => event(sequence));
const live = (sequence: number): RecordEntry => ({ kind: 'live', position: `k~${EPOCH}.${sequence.toString(36)}.1` });
const reset = (reason: string): RecordEntry => ({ kind: 'reset', reason });

const ORDER_ONLY = customerOrderFilters('u-1', 'o-17').slice(0, 1);
const all: Expectation = { filters: ORDER_ONLY, first: 'all' };
const states: Expectation = { filters: ORDER_ONLY, first: 'states' };
const fromTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const kinds = (entries: RecordEntry[], truth: StreamTruth, expectation: Expectation = all): ProblemKind[] =>
  findProblems(entries, [truth], expectation).map(({ kind }) => kind);

test('a whole record has no problems', () => {
  expect(kinds(events(...fromTo(1, 9)), truthOf(fromTo(1, 9)))).toEqual([]);
});

test('holes in the stream itself are no gaps', () => {
  expect(kinds(events(1, 4, 9), truthOf([1, 4, 9]))).toEqual([]);
});

test('a gap is found, and named once', () => {
  const problems = findProblems(events(1, 2, 6, 7), [truthOf(fromTo(1, 7))], all);

  expect(problems).toEqual([{ kind: 'gap', text: expect.stringContaining('after 2: 3 (order.') }]);
  expect(problems[0]?.text).toContain('to 5');
});

test('a missing first event is a gap', () => {
  expect(kinds(events(2, 3), truthOf([1, 2, 3]))).toEqual(['gap']);
});

test('a missing tail is found', () => {
  expect(kinds(events(1, 2), truthOf(fromTo(1, 4)))).toEqual(['missing_tail']);
});

test('a record without any event lacks everything', () => {
  expect(kinds([], truthOf([1, 2]))).toEqual(['missing_tail']);
});

test('nothing is expected beyond the end that was asked for', () => {
  expect(kinds(events(1, 2), truthOf(fromTo(1, 4)), { ...all, to: { ORDER: 2 } })).toEqual([]);
});

test('a duplicate is found', () => {
  expect(kinds(events(1, 2, 2, 3), truthOf([1, 2, 3]))).toEqual(['duplicate']);
});

test('an earlier event that comes again much later is a duplicate', () => {
  expect(kinds(events(1, 2, 3, 1), truthOf([1, 2, 3]))).toEqual(['duplicate']);
});

test('disorder is found', () => {
  expect(kinds(events(1, 3, 2), truthOf([1, 2, 3]))).toEqual(['disorder']);
});

test('an event of another channel is found', () => {
  const truth = truthOf([1, 2, 3], { 2: 'order.m-1.u-2.o-17.status_changed' });

  expect(kinds(events(1, 2, 3), truth)).toEqual(['foreign']);
});

test('an event of a family that the channel does not carry is found', () => {
  expect(kinds([event(1), event(2, { type: 'payment.confirmed' })], truthOf([1]))).toEqual(['foreign']);
});

test.each([
  ['time', { timeMs: 5 }],
  ['type', { type: 'order.created' }],
  ['data', { data: { mark: 99 } }],
])('another %s under the same sequence is found', (_, change) => {
  expect(kinds([event(1), event(2, change)], truthOf([1, 2]))).toEqual(['different']);
});

test('an epoch that changes without a reset is found', () => {
  expect(kinds([event(1), event(2, { epoch: 'e2' })], truthOf([1, 2]))).toContain('epoch_change');
});

test('an event behind the announced live position is found', () => {
  expect(kinds([event(1), live(2), event(2)], truthOf([1, 2]))).toEqual(['after_live']);
});

test('after a reset the record starts again, and must be whole from there', () => {
  const truth = truthOf(fromTo(5, 9));

  expect(kinds([...events(1, 2), reset('truncated'), ...events(...fromTo(5, 9))], truth)).toEqual([]);
  expect(kinds([...events(1, 2), reset('truncated'), ...events(5, 7, 8, 9)], truth)).toEqual(['gap']);
});

test('a reset does not excuse a gap before it', () => {
  const entries = [...events(1, 3), reset('filters_changed'), ...events(1, 2, 3)];

  expect(kinds(entries, truthOf([1, 2, 3]))).toEqual(['gap']);
});

test('events of a stream that is gone are checked for order only', () => {
  const truth = truthOf([1, 2]);
  const old = [event(1, { epoch: 'e0', timeMs: 7 }), event(3, { epoch: 'e0' })];

  expect(kinds([...old, reset('new_stream'), ...events(1, 2)], truth)).toEqual([]);
  expect(kinds([...old, old[0]!, reset('new_stream'), ...events(1, 2)], truth)).toEqual(['duplicate']);
});

test('states: the newest of each subject is enough before live, everything after it', () => {
  const truth = truthOf(fromTo(1, 9));

  expect(kinds([event(5), live(6), ...events(7, 8, 9)], truth, states)).toEqual(['missing_state']);
  expect(kinds([event(6), live(6), ...events(7, 8, 9)], truth, states)).toEqual([]);
  expect(kinds([event(6), live(6), ...events(7, 9)], truth, states)).toEqual(['gap']);
  expect(kinds([event(6), live(6), ...events(7, 8)], truth, states)).toEqual(['missing_tail']);
});

test('states: moments are no part of a snapshot', () => {
  const truth = truthOf([1, 2, 3], { 2: 'delivery.m-1.u-1.o-17.arrived' });

  expect(kinds([...events(3), live(3)], truth, states)).toEqual([]);
});

test('states: a subject that never came is found', () => {
  const truth = truthOf([1, 2, 3], { 2: 'order.m-1.u-1.o-17.created' });

  expect(kinds([...events(3), live(3)], truth, states)).toEqual(['missing_state']);
});

test('a client that started behind a position is owed everything after it', () => {
  const truth = truthOf(fromTo(1, 9));

  expect(kinds(events(6, 7, 8, 9), truth, { ...all, after: { ORDER: 5 } })).toEqual([]);
  expect(kinds(events(7, 8, 9), truth, { ...all, after: { ORDER: 5 } })).toEqual(['gap']);
});

test('a conflated event may be left out for a newer one of its subject, the newest may not', () => {
  const conflated = { ...all, conflated: ['order.status_changed'] };

  expect(kinds(events(3), truthOf([1, 2, 3]), conflated)).toEqual([]);
  expect(kinds(events(2), truthOf([1, 2, 3]), conflated)).toEqual(['missing_tail']);
});

test('refused events are not expected, and a delivered one is found', () => {
  const refusing: Expectation = { ...all, isRefused: ({ sequence }) => sequence === 2 };

  expect(kinds(events(1, 3), truthOf([1, 2, 3]), refusing)).toEqual([]);
  expect(kinds(events(1, 2, 3), truthOf([1, 2, 3]), refusing)).toEqual(['foreign']);
});

test('the failure message says who, where and what', () => {
  const recorder = new Recorder('phone');
  for (const entry of events(1, 3)) recorder.add('order:o-17', entry);

  expect(() => assertComplete(recorder, 'order:o-17', [truthOf([1, 2, 3])], all)).toThrow(
    /phone on order:o-17: 1 problems in 2 events \(resets: none\)\n- gap: ORDER: after 1: 2 \(order\.m-1/,
  );
});

test.each([
  ['a.*.c', 'a.b.c', true],
  ['a.*.c', 'a.b.d', false],
  ['a.*', 'a.b.c', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['a.b', 'a.b', true],
  ['a.b-1.*', 'a.b-1.x+y', true],
])('filter %s on %s: %s', (filter, subject, expected) => {
  expect(matchesSubject(filter, subject)).toBe(expected);
});

test('a user channel carries arrivals and payments, and no locations', () => {
  const carries = (subject: string): boolean =>
    userFilters('u-1').some(({ subjects }) => subjects.some((filter) => matchesSubject(filter, subject)));

  expect(carries('delivery.m-1.u-1.o-17.arrived')).toBe(true);
  expect(carries('payment.m-1.u-1.o-17.confirmed')).toBe(true);
  expect(carries('order.m-1.u-1.o-17.location_updated')).toBe(false);
  expect(carries('order.m-1.u-2.o-17.created')).toBe(false);
});

import { describe, expect, test } from 'vitest';
import { type LeaderView, type StoredAt, planResume, planStart } from './continuity.ts';
import type { StreamReading } from './jetstream-api.ts';

const at = (sequence: number, timeMs = sequence * 10): StoredAt => ({ sequence, timeMs });

/** A leader that holds these messages, with the real one's answer if the last sequence is deleted. */
const leaderOf = (stored: readonly StoredAt[], lastSequence: number): LeaderView => ({
  stored: (sequence) => Promise.resolve(stored.find((message) => message.sequence === sequence)),
  last: () => Promise.resolve(stored.find((message) => message.sequence === lastSequence)),
  storedFrom: (sequence) => Promise.resolve(stored.find((message) => message.sequence >= sequence)),
});

const readingOf = (
  stored: readonly StoredAt[],
  lastSequence: number,
  more: Partial<StreamReading> = {},
): StreamReading => ({
  created: 'c1',
  firstSequence: stored[0]?.sequence ?? lastSequence + 1,
  lastSequence,
  messages: stored.length,
  bytes: stored.length * 100,
  hasLeader: true,
  serverTimeMs: 1_000,
  config: {},
  consumers: 0,
  ...more,
});

const range = (from: number, to: number): StoredAt[] =>
  Array.from({ length: to - from + 1 }, (_, index) => at(from + index));
const sinkOf = (held: readonly StoredAt[]) => ({
  newestBelow: (sequence: number) => held.findLast((event) => event.sequence < sequence),
});

describe('a generation starts', () => {
  const limits = { startMs: 600, maxBytes: 1_000_000, nowMs: 5_000_000 };
  const plan = (stored: readonly StoredAt[], last: number, more = {}, changed = {}) =>
    planStart(leaderOf(stored, last), readingOf(stored, last, more), { ...limits, ...changed });

  test('so far back by the clock of the server', async () => {
    expect(await plan(range(1, 90), 90)).toEqual({ from: { timeMs: 400 }, covered: { from: 90, through: 90 } });
    expect(await plan(range(1, 90), 90, { serverTimeMs: undefined })).toMatchObject({ from: { sequence: 90 } });
  });

  test('with the newest message if that is older', async () => {
    expect(await plan(range(1, 30), 30)).toEqual({ from: { sequence: 30 }, covered: { from: 30, through: 30 } });
    expect(await plan(range(1, 30), 35)).toEqual({ from: { sequence: 30 }, covered: { from: 30, through: 35 } });
  });

  test('after the end of a stream that holds nothing', async () => {
    expect(await plan([], 50)).toEqual({ from: { sequence: 51 }, covered: { from: 0, through: 50 } });
  });

  test('later if it would be more than the budget, earlier if the budget reaches further back', async () => {
    expect(await plan(range(1, 90), 90, {}, { maxBytes: 1_000 })).toMatchObject({ from: { sequence: 81 } });
    expect(await plan(range(1, 90), 90, {}, { maxBytes: 8_900 })).toMatchObject({ from: { timeMs: 400 } });
  });
});

describe('after a doubt the reader', () => {
  const held = { created: 'c1', head: 20, headEvent: at(20) };
  const plan = (stored: readonly StoredAt[], last: number, more: Partial<StreamReading> = {}, events = range(1, 20)) =>
    planResume(leaderOf(stored, last), readingOf(stored, last, more), held, sinkOf(events));

  test('goes on from its last event', async () => {
    expect(await plan(range(1, 25), 25)).toEqual({ kind: 'resume', from: 20, anchor: at(20) });
  });

  test('goes on from the newest event that both hold', async () => {
    const without = (...gone: number[]): StoredAt[] => range(1, 25).filter(({ sequence }) => !gone.includes(sequence));

    expect(await plan(without(18, 19, 20), 25)).toEqual({ kind: 'resume', from: 17, anchor: at(17) });
    expect(await plan(range(1, 17), 20)).toEqual({ kind: 'resume', from: 17, anchor: at(17) });
    expect(await plan(range(1, 17), 22)).toEqual({ kind: 'resume', from: 17, anchor: at(17) });
  });

  test.each([
    ['another stream', range(1, 25), 25, { created: 'c2' }, { kind: 'generation', cause: 'new_stream' }],
    ['other events in the same places', range(1, 25).map((one) => at(one.sequence, 7)), 25, {}, undefined],
    [
      'another event where ours was',
      range(1, 25).map((one) => (one.sequence === 20 ? at(20, 7) : one)),
      25,
      {},
      undefined,
    ],
    ['nothing that we hold', range(21, 25), 25, {}, undefined],
    ['nothing at all', [], 25, {}, undefined],
    ['an older end that we do not know', [...range(1, 10), at(15, 7)], 20, {}, undefined],
    ['a shorter log', range(1, 15), 15, {}, { kind: 'behind' }],
  ] as const)('finds %s', async (_, stored, last, more, expected) => {
    expect(await plan(stored, last, more)).toEqual(expected ?? { kind: 'generation', cause: 'rolled_back' });
  });

  test('that never read anything cannot be contradicted', async () => {
    const empty = { created: 'c1', head: 20, headEvent: undefined };
    const leader = leaderOf(range(21, 25), 25);

    const plan = await planResume(leader, readingOf(range(21, 25), 25), empty, sinkOf([]));

    expect(plan).toEqual({ kind: 'resume', from: 21, anchor: undefined });
  });
});

// I8: ready means delivering.
import { describe, expect, test } from 'vitest';
import { evaluateReadiness, NOT_STARTED, type Readiness, type ReaderHealth, type ReadinessInputs } from './health.ts';

const RED_AFTER_MS = 15_000;
const NOW_MS = 1_000_000;

const reader = (over: Partial<ReaderHealth> = {}): ReaderHealth => ({
  stream: 'ORDER',
  lastHeardMs: NOW_MS,
  head: 100,
  previousLeaderSequence: 100,
  leaderReadMs: NOW_MS,
  ...over,
});
const inputs = (over: Partial<ReadinessInputs> = {}): ReadinessInputs => ({
  readers: [reader()],
  isStarted: true,
  isDraining: false,
  ...over,
});

const READY: Readiness = { isReady: true, reasons: [] };
const SILENT = inputs({ readers: [reader({ lastHeardMs: NOW_MS - 60_000 })] });

const judge = (previous: Readiness, given: ReadinessInputs, nowMs = NOW_MS): Readiness =>
  evaluateReadiness(previous, given, RED_AFTER_MS, nowMs);
const kindsOf = ({ reasons }: Readiness): readonly string[] => reasons.map(({ kind }) => kind);

describe('the canary', () => {
  test('may be away for a while, then it counts as missing', () => {
    expect(kindsOf(judge(READY, inputs({ canarySeenMs: NOW_MS - 5_000 })))).toEqual([]);
    expect(kindsOf(judge(READY, inputs({ canarySeenMs: NOW_MS - 5_001 })))).toEqual(['canary_missing']);
  });

  test('is not asked for where there is none', () => {
    expect(kindsOf(judge(READY, inputs()))).toEqual([]);
  });
});

describe('what is wrong', () => {
  test.each<[string, Partial<ReaderHealth>, readonly string[]]>([
    ['nothing', {}, []],
    ['heard from 3 s ago', { lastHeardMs: NOW_MS - 3_000 }, []],
    ['not heard from for longer', { lastHeardMs: NOW_MS - 3_001 }, ['reader_silent']],
    ['never heard from', { lastHeardMs: 0 }, ['reader_silent']],
    ['ahead of the last reading of the leader', { head: 105 }, []],
    ['below what the leader held before', { head: 99 }, ['reader_behind']],
    ['an empty stream', { head: 0, previousLeaderSequence: 0 }, []],
    ['healthy heartbeats of an isolated server', { leaderReadMs: NOW_MS - 10_001 }, ['leader_unread']],
    ['all at once', { lastHeardMs: 0, head: 1, leaderReadMs: 0 }, ['reader_silent', 'reader_behind', 'leader_unread']],
  ])('%s', (_, over, kinds) => {
    expect(kindsOf(judge(READY, inputs({ readers: [reader(over)] })))).toEqual(kinds);
  });

  test('one reader of several is enough, and is named', () => {
    const verdict = judge(READY, inputs({ readers: [reader(), reader({ stream: 'PAYMENT', head: 40 })] }));

    expect(verdict.reasons).toEqual([{ kind: 'reader_behind', stream: 'PAYMENT', byEvents: 60 }]);
  });
});

describe('when a pod turns', () => {
  test('it is not ready before its first fill', () => {
    expect(judge(NOT_STARTED, inputs({ isStarted: false }))).toEqual(NOT_STARTED);
  });

  test('it becomes ready only with nothing wrong, however short the trouble', () => {
    const first = judge(NOT_STARTED, SILENT);
    expect(first.isReady).toBe(false);

    expect(judge(first, SILENT, NOW_MS + 1_000).isReady).toBe(false);
    expect(judge(first, inputs()).isReady).toBe(true);
  });

  test('once ready it stays so through an election, and says what is wrong', () => {
    const verdicts = [0, 8_000, 14_999].reduce<Readiness[]>(
      (so, afterMs) => [...so, judge(so.at(-1) ?? READY, SILENT, NOW_MS + afterMs)],
      [],
    );

    expect(verdicts.map(({ isReady }) => isReady)).toEqual([true, true, true]);
    expect(kindsOf(verdicts[2]!)).toContain('reader_silent');
  });

  test('it turns red after 15 s of trouble, and ready again at once when it is over', () => {
    const troubled = judge(READY, SILENT);
    const red = judge(troubled, SILENT, NOW_MS + RED_AFTER_MS);
    expect(red.isReady).toBe(false);

    expect(judge(red, SILENT, NOW_MS + 16_000).isReady).toBe(false);
    expect(judge(red, inputs()).isReady).toBe(true);
  });

  test('troubles of different kinds in a row count as one', () => {
    const silent = judge(READY, SILENT);
    const behind = inputs({
      readers: [reader({ head: 1, lastHeardMs: NOW_MS + 14_000, leaderReadMs: NOW_MS + 14_000 })],
    });

    const next = judge(silent, behind, NOW_MS + 14_000);
    const last = judge(next, behind, NOW_MS + 15_000);

    expect([next.isReady, last.isReady]).toEqual([true, false]);
  });

  test('a moment without trouble starts the time anew', () => {
    const troubled = judge(READY, SILENT);
    const mended = judge(troubled, inputs());

    expect(judge(mended, SILENT, NOW_MS + RED_AFTER_MS).isReady).toBe(true);
  });

  test('draining counts at once', () => {
    expect(judge(READY, inputs({ isDraining: true }))).toEqual({ isReady: false, reasons: [{ kind: 'draining' }] });
  });
});

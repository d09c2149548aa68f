import { describe, expect, test } from 'vitest';
import { LeaderComparison } from './leader-comparison.ts';

const figures = (lastSequence: number, head: number, advancedMs = 0, headBefore = head) => ({
  lastSequence,
  headBefore,
  head,
  advancedMs,
});

describe('a head compared with the leader', () => {
  test('may be behind for less than 3 s', () => {
    const comparison = new LeaderComparison();

    expect(comparison.judge(figures(100, 90), 1_000)).toBe('agrees');
    expect(comparison.judge(figures(120, 90), 3_999)).toBe('agrees');
    expect(comparison.judge(figures(140, 90), 4_000)).toBe('ahead');
  });

  test('that reaches what the leader once named is not behind, however far the leader went on', () => {
    const comparison = new LeaderComparison();

    comparison.judge(figures(100, 90), 1_000);

    expect(comparison.judge(figures(900, 100), 5_000)).toBe('agrees');
  });

  test('that moves works off a backlog', () => {
    const comparison = new LeaderComparison();

    comparison.judge(figures(1_000_000, 90), 1_000);

    expect(comparison.judge(figures(1_000_000, 500_000, 4_900), 5_000)).toBe('agrees');
    expect(comparison.judge(figures(1_000_000, 500_000, 4_900), 8_000)).toBe('ahead');
  });

  test('may be past an answer that is older than what was delivered since', () => {
    const comparison = new LeaderComparison();

    expect(comparison.judge(figures(100, 150, 0, 100), 1_000)).toBe('agrees');
    expect(comparison.judge(figures(100, 150, 0, 100), 9_000)).toBe('agrees');
  });

  test('is past the end if the leader stays below it for 3 s', () => {
    const comparison = new LeaderComparison();

    expect(comparison.judge(figures(80, 90), 1_000)).toBe('agrees');
    expect(comparison.judge(figures(90, 90), 3_000)).toBe('agrees');
    expect(comparison.judge(figures(80, 90), 4_000)).toBe('agrees');
    expect(comparison.judge(figures(80, 90), 7_000)).toBe('behind');
  });
});

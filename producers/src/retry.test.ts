import { describe, expect, test } from 'vitest';
import { DEFAULT_RETRY, judge, nextDelayMs } from './retry.ts';

const refusal = (status: number, apiCode: number, description = '') =>
  judge({ kind: 'refused', status, apiCode, description });

describe('what an answer means', () => {
  test('an acknowledgement ends the matter', () => {
    expect(judge({ kind: 'stored', stream: 'ORDER', sequence: 1, duplicate: false })).toEqual({ kind: 'stored' });
  });

  test('a lost answer is tried again and leaves the outcome uncertain', () => {
    for (const kind of ['timeout', 'disconnected', 'garbled'] as const) {
      expect(judge({ kind })).toEqual({ kind: 'retry', isUncertain: true });
    }
  });

  test('no stream on the subject is tried again and is certain not to have stored', () => {
    expect(judge({ kind: 'no_responders' })).toEqual({ kind: 'retry', isUncertain: false });
    expect(judge({ kind: 'not_sent' })).toEqual({ kind: 'retry', isUncertain: false });
  });

  test('a wrong last sequence is a conflict, stated or not', () => {
    expect(refusal(400, 10_071, 'wrong last sequence: 5')).toEqual({ kind: 'conflict' });
    expect(refusal(400, 10_164, 'wrong last sequence')).toEqual({ kind: 'conflict' });
  });

  test('a duplicate still on its way is asked about again', () => {
    expect(refusal(409, 10_158)).toEqual({ kind: 'retry', isUncertain: true });
  });

  test('a server without a leader or with a full queue is tried again', () => {
    expect(refusal(503, 10_008)).toEqual({ kind: 'retry', isUncertain: false });
    expect(refusal(429, 10_167)).toEqual({ kind: 'retry', isUncertain: false });
    expect(refusal(503, 10_077, 'store is closed')).toEqual({ kind: 'retry', isUncertain: false });
  });

  test('a stream that is full for good is not', () => {
    expect(refusal(503, 10_077, 'maximum messages per subject exceeded')).toEqual({ kind: 'final', code: 'refused' });
  });

  test('what the stream forbids, and what the server forbids, is not', () => {
    expect(refusal(400, 10_060)).toEqual({ kind: 'final', code: 'refused' });
    expect(judge({ kind: 'forbidden' })).toEqual({ kind: 'final', code: 'forbidden' });
  });
});

describe('how long until the next attempt', () => {
  const always = (value: number) => () => value;
  const policy = { firstDelayMs: 50, maxDelayMs: 2_000, giveUpAfterMs: 10_000 };

  test('the ceiling doubles up to its maximum, and chance takes a part of it', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 1_000].map((attempt) => nextDelayMs(policy, attempt, 0, always(1)));
    expect(ceilings).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    expect(nextDelayMs(policy, 3, 0, always(0.25))).toBe(50);
  });

  test('an attempt that would come too late is not made', () => {
    expect(nextDelayMs(policy, 7, 9_000, always(0.4))).toBe(800);
    expect(nextDelayMs(policy, 7, 9_000, always(0.5))).toBeUndefined();
  });

  test('by default all attempts fall within the duplicate window of two minutes, the last one answered', () => {
    expect(DEFAULT_RETRY.giveUpAfterMs).toBeLessThan(120_000 - 5_000);
  });
});

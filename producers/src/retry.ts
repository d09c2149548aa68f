// What to try again, after how long, and when to stop. Pure: time and chance are arguments.
import type { ProducerErrorCode } from './errors.ts';
import type { Random } from './random.ts';
import type { Reply } from './reply.ts';

export interface RetryPolicy {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /**
   * From the first attempt on. Below the stream's duplicate window (2 min): an attempt later than that might store an
   * event a second time, because the server has forgotten the id of the first.
   */
  readonly giveUpAfterMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { firstDelayMs: 50, maxDelayMs: 2_000, giveUpAfterMs: 90_000 };

/** What an answer, or the lack of one, means for the event. */
export type Verdict =
  | { readonly kind: 'stored' }
  | { readonly kind: 'conflict' }
  /** `isUncertain`: this attempt may have stored the event although no acknowledgement came. */
  | { readonly kind: 'retry'; readonly isUncertain: boolean }
  | { readonly kind: 'final'; readonly code: ProducerErrorCode };

/** 10071 names the actual sequence, 10164 (another write to the subject is under way) does not. */
const WRONG_LAST_SEQUENCE: ReadonlySet<number> = new Set([10_071, 10_164]);
/** The first attempt is still on its way through the cluster: its fate decides, so ask again. */
const DUPLICATE_IN_FLIGHT = 10_158;
/** "Store failed" is a 503 for a stream that is full for good as for one that is just being closed. */
const STORE_FAILED = 10_077;
const LIMIT_TEXT = /maximum/;

export const judge = (reply: Reply): Verdict => {
  switch (reply.kind) {
    case 'stored':
      return { kind: 'stored' };
    case 'not_sent':
    case 'no_responders':
      return { kind: 'retry', isUncertain: false };
    case 'timeout':
    case 'disconnected':
    case 'garbled':
      return { kind: 'retry', isUncertain: true };
    case 'forbidden':
      return { kind: 'final', code: 'forbidden' };
    case 'closed':
      return { kind: 'final', code: 'closed' };
    case 'refused':
    default:
      return judgeRefusal(reply.apiCode, reply.status, reply.description);
  }
};

const judgeRefusal = (apiCode: number, status: number, description: string): Verdict => {
  if (WRONG_LAST_SEQUENCE.has(apiCode)) return { kind: 'conflict' };
  if (apiCode === DUPLICATE_IN_FLIGHT) return { kind: 'retry', isUncertain: true };
  // The only place where the text decides: the server gives both cases one code.
  if (apiCode === STORE_FAILED && LIMIT_TEXT.test(description)) return { kind: 'final', code: 'refused' };
  // 429: the stream's ingest queue is full. 503: no leader, no quorum, starting or stopping.
  const isPassing = status === 429 || status === 503;
  return isPassing ? { kind: 'retry', isUncertain: false } : { kind: 'final', code: 'refused' };
};

/** Full jitter over an exponential ceiling; undefined when the time is used up. `attempt` counts failures from 1. */
export const nextDelayMs = (
  policy: RetryPolicy,
  attempt: number,
  elapsedMs: number,
  random: Random,
): number | undefined => {
  const ceiling = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** Math.min(attempt - 1, 30));
  const delayMs = random() * ceiling;
  return elapsedMs + delayMs < policy.giveUpAfterMs ? delayMs : undefined;
};

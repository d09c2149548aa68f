// Puts commands into their stream, where a subject holds one: the second of a (user, name, id) is refused by the stream
// itself, through whichever pod it comes and whatever a duplicate window has forgotten (I6). Nothing is acknowledged
// that the stream's leader does not hold. Sends no headers at all.
import { readFromLeader } from '../log/jetstream-api.ts';
import type { NatsLink } from '../log/nats.ts';
import { delay, type Clock } from '../operations/clock.ts';
import { judgeAck } from './publish-ack.ts';

export type StoreOutcome =
  | { readonly kind: 'stored'; readonly sequence: number; readonly isDuplicate: boolean }
  | { readonly kind: 'full' }
  | { readonly kind: 'too_large' }
  /** No acknowledgement: it may be stored or not. The same id may be sent again. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface CommandStore {
  /** Never rejects. */
  store(subject: string, payload: string): Promise<StoreOutcome>;
}

export interface CommandStoreOptions {
  readonly link: Pick<NatsLink, 'request'>;
  readonly stream: string;
  /** For everything that one command takes. */
  readonly ackTimeoutMs: number;
  readonly clock: Clock;
}

const FIRST_RETRY_MS = 25;
const MAX_RETRY_MS = 400;

export const createCommandStore = (options: CommandStoreOptions): CommandStore => ({
  store: async (subject, payload) => {
    const deadlineMs = options.clock.now() + options.ackTimeoutMs;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      const outcome = await attempt(options, subject, payload, deadlineMs);
      if (outcome.kind !== 'again') return outcome;
      if (options.clock.now() + waitMs >= deadlineMs)
        return { kind: 'unavailable', reason: 'the first one is still under way' };
      await delay(options.clock, waitMs);
    }
  },
});

const attempt = async (
  { link, stream, clock }: CommandStoreOptions,
  subject: string,
  payload: string,
  deadlineMs: number,
): Promise<StoreOutcome | { readonly kind: 'again' }> => {
  const leftMs = (): number => Math.max(1, deadlineMs - clock.now());
  try {
    const verdict = judgeAck((await link.request(subject, payload, leftMs())).data);
    switch (verdict.kind) {
      case 'stored':
        // Somebody else listens on the subject and answers.
        if (verdict.stream !== stream) return { kind: 'unavailable', reason: `answered by ${verdict.stream}` };
        return { kind: 'stored', sequence: verdict.sequence, isDuplicate: false };
      case 'taken_or_full': {
        // From the leader: a follower may not have the first one yet, and "full" would be answered in its place.
        const first = await readFromLeader(link as NatsLink, stream, { last_by_subj: subject }, leftMs());
        if (first) return { kind: 'stored', sequence: first.sequence, isDuplicate: true };
        // The subject is taken by what has not been applied yet, or what was there has just expired.
        return { kind: verdict.isSubjectLimit ? 'again' : 'full' };
      }
      case 'in_flight':
        return { kind: 'again' };
      case 'full':
      case 'too_large':
      case 'unavailable':
        return verdict;
    }
  } catch (error) {
    return { kind: 'unavailable', reason: error instanceof Error ? error.message : String(error) };
  }
};

// Who is on a channel, over all pods: asked of them when somebody wants to know, and kept nowhere. Joining and leaving a
// channel is the most frequent thing there is, asking who is there a rare one.
import { GatewayError } from '../errors.ts';
import type { Clock, TimerHandle } from '../operations/clock.ts';
import type { ChannelMembers } from './channel-members.ts';

/** The wire between pods: one question to all, an answer from each. */
export interface Roundup {
  /** Calls `onAnswer` for each answer until the returned function is called. Throws if the question cannot be asked. */
  ask(question: string, onAnswer: (answer: unknown) => void): () => void;
}

export interface Attendance {
  readonly count: number;
  /** Sorted; at most MAX_MEMBERS. */
  readonly members: readonly string[];
}

export interface ChannelPresenceOptions {
  readonly local: ChannelMembers;
  readonly roundup: Roundup;
  readonly clock: Clock;
  /** Names this process among those that answer. */
  readonly podId: string;
  /** How many pods live. */
  readonly alivePods: () => number;
  /** What the catalogue lets subscribers of a channel ask. */
  readonly modeOf: (channel: string) => PresenceMode | undefined;
}

export type PresenceMode = 'members' | 'count';

/** A list is for people to look at; a count goes on. */
export const MAX_MEMBERS = 1_000;
/** A pod that does not answer within this time is not counted. */
const PATIENCE_MS = 1_000;
/** For pods that started so recently that nobody has listed them. */
const GRACE_MS = 20;
/** An answer serves whoever asks within this time. */
const FRESH_MS = 500;

interface Answer {
  readonly pod: string;
  readonly count: number;
  readonly members: readonly string[];
}

export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  /** Questions under way and answers that are fresh. */
  readonly #recent = new Map<string, Promise<Attendance>>();

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
  }

  modeOf(channel: string): PresenceMode | undefined {
    return this.#options.modeOf(channel);
  }

  /** A connection of the user is on the channel until the returned function is called; undefined if nobody may ask. */
  attend(channel: string, user: string): (() => void) | undefined {
    const { local, modeOf } = this.#options;
    if (modeOf(channel) === undefined) return undefined;
    local.join(channel, user);
    return () => local.leave(channel, user);
  }

  /** What this pod answers to a question. */
  answer(question: string): string {
    const { local, podId } = this.#options;
    const answer: Answer = { pod: podId, count: local.count(question), members: local.some(question, MAX_MEMBERS) };
    return JSON.stringify(answer);
  }

  /** Rejects with a GatewayError if nobody can be asked. */
  of(channel: string): Promise<Attendance> {
    const { clock } = this.#options;
    const known = this.#recent.get(channel);
    if (known) return known;
    const asked = this.#ask(channel);
    this.#recent.set(channel, asked);
    const forget = (): void => void this.#recent.delete(channel);
    asked.then(() => clock.setTimeout(forget, FRESH_MS), forget);
    return asked;
  }

  async #ask(channel: string): Promise<Attendance> {
    const { roundup, clock, alivePods, local } = this.#options;
    const answers = new Map<string, Answer>();
    let timer: TimerHandle | undefined;
    let hasAll = false;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const wait = (ms: number): void => {
      clock.clear(timer);
      timer = clock.setTimeout(finish, ms);
    };
    wait(PATIENCE_MS);
    try {
      const stop = roundup.ask(channel, (answer) => {
        if (isAnswer(answer)) answers.set(answer.pod, answer);
        if (hasAll || answers.size < alivePods()) return;
        hasAll = true;
        wait(GRACE_MS);
      });
      await finished;
      stop();
    } finally {
      clock.clear(timer);
    }
    // Whoever asks is one of those who know.
    if (answers.size === 0) return sum([{ count: local.count(channel), members: local.some(channel, MAX_MEMBERS) }]);
    return sum([...answers.values()]);
  }
}

/** Users on several pods count once, as far as the lists tell: beyond them, once per pod. */
export const sum = (answers: readonly Pick<Answer, 'count' | 'members'>[]): Attendance => {
  const members = new Set<string>();
  let unlisted = 0;
  for (const answer of answers) {
    for (const member of answer.members) members.add(member);
    unlisted += Math.max(0, answer.count - answer.members.length);
  }
  return { count: members.size + unlisted, members: [...members].sort().slice(0, MAX_MEMBERS) };
};

const isAnswer = (value: unknown): value is Answer => {
  if (typeof value !== 'object' || value === null) return false;
  const { pod, count, members } = value as Readonly<Record<string, unknown>>;
  return (
    typeof pod === 'string' &&
    Number.isSafeInteger(count) &&
    Array.isArray(members) &&
    members.length <= MAX_MEMBERS &&
    members.every((member) => typeof member === 'string')
  );
};

/** When pods cannot be reached the answer would be a guess. */
export const unreachableError = (): GatewayError =>
  new GatewayError('nats_disconnected', 'the other pods cannot be asked');

// JetStream as one opening sees it: pages in the turn of its connection, and of other questions few of a user at once.
// Whoever opened a thousand channels had everybody else wait behind as many questions, or be refused.
import { Places, type User } from '../access/limits.ts';
import type { Cold, ColdReadRequest, ColdRetry } from '../log/cold.ts';
import type { Pod } from './pod.ts';

/** A stream answers fewer at once, but a channel draws on several. */
const QUESTIONS_AT_ONCE = 16;
/** To an opening that is over: nobody acts on it. */
const OVER: ColdRetry = { kind: 'retry', code: 'overloaded', afterMs: 0 };

/** Runs a read when it is the connection's turn. */
export type InTurn = <T>(read: () => Promise<T>) => Promise<T>;

export class OpeningReads implements Cold {
  readonly #pod: Pick<Pod, 'cold' | 'counters'>;
  readonly #user: User;
  readonly #inTurn: InTurn;
  readonly #isOver: () => boolean;

  constructor(pod: Pick<Pod, 'cold' | 'counters'>, user: User, inTurn: InTurn, isOver: () => boolean) {
    this.#pod = pod;
    this.#user = user;
    this.#inTurn = inTurn;
    this.#isOver = isOver;
  }

  read(request: ColdReadRequest): ReturnType<Cold['read']> {
    return this.#inTurn(async () => {
      if (this.#isOver()) return OVER;
      this.#pod.counters.coldReads++;
      return await this.#pod.cold.read(request);
    });
  }

  event(...about: Parameters<Cold['event']>): ReturnType<Cold['event']> {
    return this.#ask(() => this.#pod.cold.event(...about));
  }

  neighbours(...about: Parameters<Cold['neighbours']>): ReturnType<Cold['neighbours']> {
    return this.#ask(() => this.#pod.cold.neighbours(...about));
  }

  states(...about: Parameters<Cold['states']>): ReturnType<Cold['states']> {
    return this.#ask(() => this.#pod.cold.states(...about));
  }

  lastN(...about: Parameters<Cold['lastN']>): ReturnType<Cold['lastN']> {
    return this.#ask(() => this.#pod.cold.lastN(...about));
  }

  since(...about: Parameters<Cold['since']>): ReturnType<Cold['since']> {
    return this.#ask(() => this.#pod.cold.since(...about));
  }

  /** One question to NATS whatever the number of those who ask. */
  leader(...about: Parameters<Cold['leader']>): ReturnType<Cold['leader']> {
    return this.#pod.cold.leader(...about);
  }

  #ask<T>(question: () => Promise<T>): Promise<T | ColdRetry> {
    const places = (this.#user.questions ??= new Places(QUESTIONS_AT_ONCE));
    return places.run(async () => (this.#isOver() ? OVER : await question()));
  }
}

// JetStream as one opening sees it: pages in the turn of its connection, and of other questions few of a user at once.
// Whoever opened a thousand channels had everybody else wait behind as many questions, or be refused. What brings events
// along waits until the connection has room for them: a socket that does not read must not hold a snapshot per channel.
import { Places, type User } from '../access/limits.ts';
import type { Cold, ColdReadRequest, ColdRetry } from '../log/cold.ts';
import type { Pod } from './pod.ts';

/** A stream answers fewer at once, but a channel draws on several. */
const QUESTIONS_AT_ONCE = 16;
/** To an opening that is over: nobody acts on it. */
const OVER: ColdRetry = { kind: 'retry', code: 'overloaded', afterMs: 0 };

/** The connection, as its openings see it. */
export interface OpeningConnection {
  /** Whether what is read now could be held beside what is held already. */
  readonly hasRoomToOpen: boolean;
  /** Resolves when there is some. Who has waited takes it, however much has come meanwhile. */
  roomToOpen(): Promise<void>;
  /** Runs a cold read when it is the connection's turn. */
  inTurn<T>(read: () => Promise<T>): Promise<T>;
}

export class OpeningReads implements Cold {
  readonly #pod: Pick<Pod, 'cold' | 'counters'>;
  readonly #user: User;
  readonly #connection: OpeningConnection;
  readonly #isOver: () => boolean;

  constructor(pod: Pick<Pod, 'cold' | 'counters'>, user: User, connection: OpeningConnection, isOver: () => boolean) {
    this.#pod = pod;
    this.#user = user;
    this.#connection = connection;
    this.#isOver = isOver;
  }

  read(request: ColdReadRequest): ReturnType<Cold['read']> {
    return this.#whenRoom(
      (read) => this.#connection.inTurn(read),
      () => {
        this.#pod.counters.coldReads++;
        return this.#pod.cold.read(request);
      },
    );
  }

  states(...about: Parameters<Cold['states']>): ReturnType<Cold['states']> {
    return this.#whenRoom(
      (ask) => this.#places.run(ask),
      () => this.#pod.cold.states(...about),
    );
  }

  event(...about: Parameters<Cold['event']>): ReturnType<Cold['event']> {
    return this.#ask(() => this.#pod.cold.event(...about));
  }

  neighbours(...about: Parameters<Cold['neighbours']>): ReturnType<Cold['neighbours']> {
    return this.#ask(() => this.#pod.cold.neighbours(...about));
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

  get #places(): Places {
    return (this.#user.questions ??= new Places(QUESTIONS_AT_ONCE));
  }

  #ask<T>(question: () => Promise<T>): Promise<T | ColdRetry> {
    return this.#places.run(async () => (this.#isOver() ? OVER : await question()));
  }

  /** Waits for room, but not in the place of somebody who could go. */
  async #whenRoom<T>(
    inTurn: (read: () => Promise<T | undefined>) => Promise<T | undefined>,
    read: () => Promise<T>,
  ): Promise<T | ColdRetry> {
    const connection = this.#connection;
    let isLetIn = false;
    while (!this.#isOver()) {
      // oxlint-disable no-await-in-loop -- there may be no room any more when its turn has come
      if (!connection.hasRoomToOpen) {
        await connection.roomToOpen();
        isLetIn = true;
      }
      const mayRead = (): boolean => !this.#isOver() && (isLetIn || connection.hasRoomToOpen);
      const result = await inTurn(async () => (mayRead() ? await read() : undefined));
      if (result !== undefined) return result;
      // oxlint-enable no-await-in-loop
    }
    return OVER;
  }
}

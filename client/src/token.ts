// The token: remembered while it is good, fetched when it is not. The callback may be slow, fail, or never answer.
import type { Clock } from './clock.ts';

/** Part of a token's life after which a new connection does not start with it. */
const USABLE_PART = 0.9;

export class TokenSource {
  readonly #provider: string | (() => Promise<string>);
  readonly #clock: Clock;
  #token: string | undefined;
  #usableUntilMs = Number.POSITIVE_INFINITY;
  /** Only the answer to the latest question counts. */
  #questions = 0;

  constructor(provider: string | (() => Promise<string>), clock: Clock) {
    this.#provider = provider;
    this.#clock = clock;
    if (typeof provider === 'string') this.#token = provider;
  }

  get canRefresh(): boolean {
    return typeof this.#provider !== 'string';
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** Calls back once, perhaps at once; never if it is asked again, or told to stop waiting, before the answer. */
  fetch(
    mustBeFresh: boolean,
    answer: (result: { readonly isFresh: boolean } | { readonly cause: unknown }) => void,
  ): void {
    const question = ++this.#questions;
    const isUsable = this.#token !== undefined && (!this.canRefresh || this.#clock.now() < this.#usableUntilMs);
    if (!mustBeFresh && isUsable) return answer({ isFresh: false });
    if (typeof this.#provider === 'string') return answer({ cause: undefined });
    void callProvider(this.#provider).then(
      (token) => {
        if (question !== this.#questions) return;
        this.#token = token;
        this.#usableUntilMs = Number.POSITIVE_INFINITY;
        answer({ isFresh: true });
      },
      (cause: unknown) => {
        if (question === this.#questions) answer({ cause });
      },
    );
  }

  /** Who is asked next may be somebody else. */
  forget(): void {
    if (this.canRefresh) this.#token = undefined;
  }

  stopWaiting(): void {
    this.#questions++;
  }

  /** The gateway says how long the token that it accepted still lives. */
  expiresIn(expiresInMs: number | undefined): void {
    this.#usableUntilMs =
      expiresInMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() + expiresInMs * USABLE_PART;
  }
}

const callProvider = async (provider: () => Promise<string>): Promise<string> => {
  const token: unknown = await provider();
  if (typeof token !== 'string' || token === '') throw new TypeError('the token callback returned no token');
  return token;
};

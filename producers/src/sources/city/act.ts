// What somebody in the city does: sends a command, as their phone would, or lets something be known. Pure.
import type { RezCommands, RezEvents } from '@sluice/schemas';
import type { Random } from '../../random.ts';

/** Who sends a command, as a verified token would tell. */
export interface Sender {
  readonly sub: string;
  readonly role: string;
  readonly name: string;
}

export type StoredCommand = Exclude<keyof RezCommands, 'chat.typing'>;

export type CityCommand = {
  readonly [Name in StoredCommand]: {
    readonly kind: 'command';
    readonly atMs: number;
    readonly command: Name;
    readonly commandId: string;
    readonly sender: Sender;
    readonly data: RezCommands[Name];
  };
}[StoredCommand];

/** What no service of ours owns: it comes from a merchant's till or from marketing. */
type ShopEventType = Extract<keyof RezEvents, `${'product' | 'store' | 'promotion'}.${string}`>;

export type ShopEvent = {
  readonly [Type in ShopEventType]: {
    readonly kind: 'event';
    readonly atMs: number;
    readonly type: Type;
    readonly keys: Readonly<Record<string, string>>;
    readonly payload: RezEvents[Type];
  };
}[ShopEventType];

export type CityAct = CityCommand | ShopEvent;

export interface ThemeOptions {
  readonly startMs: number;
  readonly random: Random;
  /** How many times faster than life. */
  readonly pace: number;
  /** Never the same twice, in any run: services remember ids. */
  readonly createId: () => string;
}

/** One thread of the city's life, for ever, in the order of time. */
export type Theme = Generator<CityAct, never>;

/** Several threads as one, in the order of time. */
export class Threads {
  readonly #threads: readonly { readonly theme: Theme; next: CityAct }[];

  constructor(themes: readonly Theme[]) {
    this.#threads = themes.map((theme) => ({ theme, next: theme.next().value }));
  }

  /** What has happened since the last call, up to now; of that, what is older than `freshFromMs` is left out. */
  advance(nowMs: number, freshFromMs: number = Number.NEGATIVE_INFINITY): CityAct[] {
    const acts: CityAct[] = [];
    for (const thread of this.#threads) {
      for (; thread.next.atMs <= nowMs; thread.next = thread.theme.next().value) {
        if (thread.next.atMs >= freshFromMs) acts.push(thread.next);
      }
    }
    return acts.sort((a, b) => a.atMs - b.atMs);
  }
}

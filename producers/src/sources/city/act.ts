// What somebody in the city does: sends a command, as their phone would, or lets something be known. Pure.
import type { RezCommands, RezEvents } from '@sluice/schemas';
import type { Random } from '../../random.ts';
import { causeOfCommand, contextOf } from '../../service/decision.ts';

/** Who sends a command, as a verified token would tell. */
export interface Sender {
  readonly sub: string;
  readonly role: string;
  readonly name: string;
  readonly merchantId?: string;
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

/** What a service will call the first thing that a command makes: ids follow from commands. A phone would read it in the answer. */
export const madeBy = ({ command, sender, commandId }: CityCommand, prefix: string): string =>
  contextOf(causeOfCommand(command, sender.sub, commandId), 0).id(prefix);

type CommandOf<Name extends StoredCommand> = Extract<CityCommand, { readonly command: Name }>;

export type SendCommand = <Name extends StoredCommand>(
  atMs: number,
  sender: Sender,
  command: Name,
  data: CommandOf<Name>['data'],
) => CommandOf<Name>;

/** Gives each command its id. */
export const commander =
  (createId: () => string): SendCommand =>
  <Name extends StoredCommand>(atMs: number, sender: Sender, command: Name, data: CommandOf<Name>['data']) =>
    ({ kind: 'command', atMs, sender, command, commandId: createId(), data }) as unknown as CommandOf<Name>;

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
    // Always the thread that comes first: chance is drawn in the order of time, however often one looks.
    for (let thread = this.#first(); thread.next.atMs <= nowMs; thread = this.#first()) {
      if (thread.next.atMs >= freshFromMs) acts.push(thread.next);
      thread.next = thread.theme.next().value;
    }
    return acts;
  }

  #first(): { readonly theme: Theme; next: CityAct } {
    return this.#threads.reduce((first, other) => (other.next.atMs < first.next.atMs ? other : first));
  }
}

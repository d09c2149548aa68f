// Everything in the city but the simulated orders, as one thread of acts. Pure.
import { activities, posts } from './social.ts';
import { type Theme, type ThemeOptions, Threads } from './act.ts';
import { chats } from './chats.ts';
import { shoppers, undecided } from './shoppers.ts';
import { flashSales, shops } from './shops.ts';

const CHAT_LINES = 3;
const SHOPPER_LINES = 3;

export const createTown = (options: ThemeOptions): Threads => {
  const lines = (count: number, theme: (line: number) => Theme): Theme[] =>
    Array.from({ length: count }, (_, line) => theme(line));
  return new Threads([
    shops(options),
    ...lines(SHOPPER_LINES, () => shoppers(options)),
    undecided(options),
    flashSales(options),
    ...lines(CHAT_LINES, (line) => chats(options, line)),
    posts(options),
    activities(options),
  ]);
};

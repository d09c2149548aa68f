import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { Compile } from 'typebox/compile';
import { beforeAll, describe, expect, test } from 'vitest';
import { EventEncoder } from '../../event-encoder.ts';
import { seededRandom } from '../../random.ts';
import type { CityAct, CityCommand } from './act.ts';
import { createTown } from './town.ts';

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

const live = (minutes: number, { seed = 1, pace = 1, stepMs = 1_000 } = {}): CityAct[] => {
  let count = 0;
  const town = createTown({ startMs: START_MS, random: seededRandom(seed), pace, createId: () => `c-${++count}` });
  const acts: CityAct[] = [];
  for (let nowMs = START_MS; nowMs <= START_MS + minutes * MINUTE_MS; nowMs += stepMs)
    acts.push(...town.advance(nowMs));
  return acts;
};

const commandsOf = (acts: readonly CityAct[]): CityCommand[] =>
  acts.filter((act): act is CityCommand => act.kind === 'command');

describe('ten minutes of the town', () => {
  let acts: CityAct[];
  let commands: CityCommand[];
  beforeAll(() => {
    acts = live(10);
    commands = commandsOf(acts);
  });

  test('every command fits its schema, is for the role of its sender, and has an id of its own', () => {
    const known = mustCompileCatalogue(rez).commands;
    for (const { command, data, sender } of commands) {
      const { schema, roles } = known.get(command)!;
      expect(Compile(schema).Errors(data), command).toEqual([]);
      expect(roles === 'any' || roles.includes(sender.role), `${command} by ${sender.role}`).toBe(true);
    }
    expect(new Set(commands.map(({ commandId }) => commandId)).size).toBe(commands.length);
  });

  test('every event fits the catalogue', () => {
    const encoder = new EventEncoder(rez, 'msgpack');
    for (const act of acts) if (act.kind === 'event') encoder.encode(act.type, act.keys, act.payload);
  });

  test('all of it is there: chats, posts, likes, plans, carts, orders, prices, stock, a flash sale', () => {
    const seen = new Set(acts.map((act) => (act.kind === 'event' ? act.type : act.command)));
    expect([...seen].sort()).toEqual([
      ...['activity.create', 'activity.join', 'activity.leave', 'activity.like', 'activity.unlike'],
      ...['cart.add_item', 'cart.clear', 'cart.remove_item', 'cart.update_item', 'chat.send_message'],
      'delivery.report_location',
      ...['feed.comment_post', 'feed.create_post', 'feed.follow_user', 'feed.like_post'],
      ...['order.place', 'order.update_status', 'product.price_updated', 'product.stock_updated', 'promotion.buy'],
      ...['promotion.flash_sale_started', 'promotion.stock_update', 'store.status_changed', 'wallet.redeem'],
    ]);
  });

  test('everything happens in order, at a rate that a checkout can keep for days', () => {
    expect(acts.filter(({ atMs }, index) => atMs < (acts[index - 1]?.atMs ?? 0))).toEqual([]);
    const perSecond = commands.length / 600;
    expect(perSecond).toBeGreaterThan(1);
    expect(perSecond).toBeLessThan(6);
  });

  test('whoever follows follows others, each once', () => {
    const pairs = commands.flatMap((act) =>
      act.command === 'feed.follow_user' ? [`${act.sender.sub} ${act.data.userId}`] : [],
    );
    expect(new Set(pairs).size).toBe(pairs.length);
    expect(pairs.filter((pair) => new Set(pair.split(' ')).size === 1)).toEqual([]);
  });

  test('there is always something to see for u-1 and in their support chat', () => {
    const chat = commands.filter((act) => act.command === 'chat.send_message' && act.data.chatId === 'chat-u-1');
    expect(chat.length).toBeGreaterThan(60);
    expect(new Set(chat.map(({ sender }) => sender.role))).toEqual(new Set(['customer', 'agent']));
  });
});

describe('time and chance', () => {
  test('one seed makes one town, however often one looks; another seed makes another', () => {
    expect(live(3, { seed: 7, stepMs: 100 })).toEqual(live(3, { seed: 7, stepMs: 60_000 }));
    expect(live(3, { seed: 7 })).not.toEqual(live(3, { seed: 8 }));
  });

  test('after a long sleep only the last moments are told', () => {
    const createId = (): string => 'c';
    const town = createTown({ startMs: START_MS, random: seededRandom(1), pace: 1, createId });
    const nowMs = START_MS + 30 * MINUTE_MS;
    const acts = town.advance(nowMs, nowMs - 3_000);
    expect(acts.length).toBeGreaterThan(1);
    expect(acts.length).toBeLessThan(60);
    expect(Math.min(...acts.map(({ atMs }) => atMs))).toBeGreaterThanOrEqual(nowMs - 3_000);
  });
});

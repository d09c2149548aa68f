// What the leaderboard knows: coins earned per period, and what it has told about ranks. Pure. What is due follows from
// the difference between the two, so that a service that dies half-way goes on where it stopped.
import type { Consequence, NewEvent, PastEvent, PastEventOf } from '../../service/definition.ts';
import { type Achievement, ACHIEVEMENTS, tierOf } from './achievements.ts';
import { isPeriod, type Period, PERIODS, windowStart } from './periods.ts';

type Entry = PastEventOf<'leaderboard.update'>['payload']['entries'][number];

interface Board {
  startMs: number;
  readonly coins: Map<string, number>;
  /** The rank that each user was last told, and by which event. */
  readonly told: Map<string, { readonly rank: number; readonly sequence: number }>;
  updatedAtMs: number;
  updateSequence: number;
  /** What the last update said, to see whether there is news. */
  shown: string;
  isDirty: boolean;
}

/** At most one update per period and so long. */
const UPDATE_EVERY_MS = 1_000;
const SHOWN_ENTRIES = 100;
const NOTHING_SHOWN = '';

/** Plain, so that it can be kept. */
export interface StandingsData {
  readonly boards: Map<Period, Board>;
  readonly names: Map<string, string>;
  readonly awarded: Map<string, Set<string>>;
  /** Users whose achievements are to be looked at. */
  readonly unseen: Set<string>;
}

export const noStandings = (): StandingsData => ({
  boards: new Map(PERIODS.map((period) => [period, emptyBoard()])),
  ...{ names: new Map(), awarded: new Map(), unseen: new Set() },
});

export class Standings {
  readonly #boards: StandingsData['boards'];
  readonly #names: StandingsData['names'];
  readonly #awarded: StandingsData['awarded'];
  readonly #unseen: StandingsData['unseen'];

  constructor({ boards, names, awarded, unseen }: StandingsData) {
    this.#boards = boards;
    this.#names = names;
    this.#awarded = awarded;
    this.#unseen = unseen;
  }

  fold(event: PastEvent): void {
    switch (event.type) {
      case 'wallet.balance_updated':
        return this.#earn(event);
      case 'leaderboard.rank_change':
      case 'leaderboard.update':
        return this.#note(event);
      case 'leaderboard.achievement':
        return this.#award(event);
      case 'order.created':
        return void this.#names.set(event.payload.userId, event.payload.customer.name);
      case 'feed.new_post':
        return void this.#names.set(event.payload.userId, event.payload.userName);
      default:
    }
  }

  /** What is to be told now; about a period nothing while its last update is younger than a second. */
  due(nowMs: number): Consequence[] {
    const due = this.#achievements(nowMs);
    for (const [period, board] of this.#boards) {
      this.#turn(period, board, nowMs);
      if (board.isDirty && nowMs - board.updatedAtMs >= UPDATE_EVERY_MS) due.push(...this.#news(period, board, nowMs));
    }
    return due;
  }

  /** Rank 0: nowhere yet. */
  standing(period: Period, userId: string): { readonly rank: number; readonly coins: number } {
    const ranked = rank(this.#boards.get(period)!.coins);
    const index = ranked.findIndex(([id]) => id === userId);
    return { rank: index + 1, coins: ranked[index]?.[1] ?? 0 };
  }

  #earn({ keys, payload, timeMs }: PastEventOf<'wallet.balance_updated'>): void {
    const { operation, amount, reason } = payload.change;
    // What is spent stays earned; a refund is no merit.
    if (operation !== 'credit' || !(amount > 0) || /refund/i.test(reason)) return;
    const { userId } = keys;
    for (const [period, board] of this.#boards) {
      this.#turn(period, board, timeMs);
      if (windowStart(period, timeMs) !== board.startMs) continue;
      board.coins.set(userId, (board.coins.get(userId) ?? 0) + amount);
      board.isDirty = true;
    }
    this.#unseen.add(userId);
  }

  #note(event: PastEventOf<'leaderboard.rank_change' | 'leaderboard.update'>): void {
    const { period } = event.keys;
    if (!isPeriod(period)) return;
    const board = this.#boards.get(period)!;
    const atMs = Date.parse(event.payload.timestamp);
    if (event.type === 'leaderboard.update') {
      board.updatedAtMs = atMs;
      board.updateSequence = event.sequence;
    }
    this.#turn(period, board, atMs);
    if (windowStart(period, atMs) !== board.startMs) return;
    if (event.type === 'leaderboard.update') board.shown = JSON.stringify(event.payload.entries);
    else board.told.set(event.payload.userId, { rank: event.payload.newRank, sequence: event.sequence });
    board.isDirty = true;
  }

  /** A new day, week or month begins with an empty board. */
  #turn(period: Period, board: Board, nowMs: number): void {
    const startMs = windowStart(period, nowMs);
    if (startMs <= board.startMs) return;
    board.startMs = startMs;
    board.coins.clear();
    board.told.clear();
    // The update that says so is due, unless there never was anything to see.
    board.isDirty = board.shown !== NOTHING_SHOWN;
  }

  #news(period: Period, board: Board, nowMs: number): Consequence[] {
    const timestamp = new Date(nowMs).toISOString();
    const ranked = rank(board.coins);
    const news: Consequence[] = [];
    for (const [index, [userId, coins]] of ranked.entries()) {
      const newRank = index + 1;
      const told = board.told.get(userId);
      // Who was on no board comes from behind its end.
      const oldRank = told?.rank ?? ranked.length + 1;
      if (oldRank === newRank) continue;
      const payload = { period, userId, oldRank, newRank, coins, rankChange: oldRank - newRank, timestamp };
      const key = `rank ${period} ${board.startMs} ${userId} ${told?.sequence ?? 0}`;
      news.push({ key, events: [{ type: 'leaderboard.rank_change', keys: { period, userId }, payload }] });
    }
    const entries = ranked
      .slice(0, SHOWN_ENTRIES)
      .map(([userId, coins], index) => this.#entry(userId, coins, index + 1));
    if (JSON.stringify(entries) !== board.shown) {
      const keys = { period, userId: 'everyone' };
      const update: NewEvent = { type: 'leaderboard.update', keys, payload: { period, entries, timestamp } };
      news.push({ key: `update ${period} ${board.updateSequence}`, events: [update] });
    }
    // Until it reads its own events back: then nothing is due any more.
    board.isDirty = news.length > 0;
    return news;
  }

  #entry(userId: string, coins: number, place: number): Entry {
    const fullName = this.#names.get(userId) ?? userId;
    const achievements = this.#awarded.get(userId)?.size ?? 0;
    return { rank: place, userId, fullName, coins, achievements, tier: tierOf(this.#allTime(userId)) };
  }

  #achievements(nowMs: number): Consequence[] {
    const timestamp = new Date(nowMs).toISOString();
    const due: Consequence[] = [];
    for (const userId of this.#unseen) {
      const reached = ACHIEVEMENTS.filter(({ coins }) => this.#allTime(userId) >= coins);
      const open = reached.filter(({ id }) => !this.#awarded.get(userId)?.has(id));
      if (open.length === 0) this.#unseen.delete(userId);
      for (const achievement of open) {
        due.push({ key: `achievement ${userId} ${achievement.id}`, events: [toEvent(userId, achievement, timestamp)] });
      }
    }
    return due;
  }

  #allTime(userId: string): number {
    return this.#boards.get('all-time')?.coins.get(userId) ?? 0;
  }

  #award({ payload: { userId, achievementId } }: PastEventOf<'leaderboard.achievement'>): void {
    const awarded = this.#awarded.get(userId) ?? new Set();
    this.#awarded.set(userId, awarded.add(achievementId));
    for (const board of this.#boards.values()) board.isDirty ||= board.coins.has(userId);
  }
}

const emptyBoard = (): Board => ({
  ...{ startMs: -1, coins: new Map(), told: new Map() },
  ...{ updatedAtMs: Number.NEGATIVE_INFINITY, updateSequence: 0, shown: NOTHING_SHOWN, isDirty: false },
});

/** Most coins first; of equals the one whose id sorts first, so that every copy sees the same order. */
const rank = (coins: ReadonlyMap<string, number>): [string, number][] =>
  [...coins].sort(([idA, a], [idB, b]) => b - a || (idA < idB ? -1 : 1));

const toEvent = (userId: string, { id, name, description, points }: Achievement, timestamp: string): NewEvent => ({
  type: 'leaderboard.achievement',
  keys: { period: 'all-time', userId },
  payload: {
    ...{ userId, achievementId: id, achievementName: name, achievementDescription: description },
    ...{ points, timestamp },
  },
});

// What the dashboard knows: today's orders, and who is about. Pure.
import type { PastEvent } from '../../service/definition.ts';

export interface Figures {
  readonly todayOrders: number;
  readonly todayRevenue: number;
  readonly activeUsers: number;
  readonly activeMerchants: number;
}

const DAY_MS = 86_400_000;
/** Whoever ordered, or had an order move on, within this time is active; a connected user is as long as connected. */
const ACTIVE_MS = 15 * 60_000;

/** Plain, so that it can be kept. */
export interface CityData {
  readonly online: Set<string>;
  /** When each was last heard of, the longest ago first. */
  readonly users: Map<string, number>;
  readonly merchants: Map<string, number>;
  dayMs: number;
  orders: number;
  revenue: number;
  statsSlot: number;
}

export const noFigures = (): CityData => ({
  ...{ online: new Set(), users: new Map(), merchants: new Map() },
  ...{ dayMs: 0, orders: 0, revenue: 0, statsSlot: -1 },
});

export class CityFigures {
  readonly #data: CityData;

  constructor(data: CityData) {
    this.#data = data;
  }

  fold(event: PastEvent): void {
    switch (event.type) {
      case 'order.created':
        this.#turn(event.timeMs);
        if (dayOf(event.timeMs) === this.#data.dayMs) {
          this.#data.orders++;
          this.#data.revenue += event.payload.total;
        }
        return this.#hear(event.keys, event.timeMs);
      case 'order.status_changed':
        return this.#hear(event.keys, event.timeMs);
      case 'user.online':
        return void this.#data.online.add(event.payload.userId);
      case 'user.offline':
        return void this.#data.online.delete(event.payload.userId);
      case 'dashboard.stats':
        this.#data.statsSlot = Math.max(this.#data.statsSlot, slotOf(Date.parse(event.payload.timestamp)));
        return;
      default:
    }
  }

  /** Statistics were told within this half minute. */
  isTold(nowMs: number): boolean {
    return this.#data.statsSlot >= slotOf(nowMs);
  }

  figures(nowMs: number): Figures {
    this.#turn(nowMs);
    forget(this.#data.users, nowMs - ACTIVE_MS);
    forget(this.#data.merchants, nowMs - ACTIVE_MS);
    const away = [...this.#data.users.keys()].filter((userId) => !this.#data.online.has(userId));
    return {
      todayOrders: this.#data.orders,
      todayRevenue: Math.round(this.#data.revenue * 100) / 100,
      activeUsers: this.#data.online.size + away.length,
      activeMerchants: this.#data.merchants.size,
    };
  }

  #hear({ userId, merchantId }: { readonly userId: string; readonly merchantId: string }, timeMs: number): void {
    for (const [map, id] of [
      [this.#data.users, userId],
      [this.#data.merchants, merchantId],
    ] as const) {
      map.delete(id);
      map.set(id, timeMs);
    }
  }

  #turn(nowMs: number): void {
    if (dayOf(nowMs) <= this.#data.dayMs) return;
    this.#data.dayMs = dayOf(nowMs);
    this.#data.orders = 0;
    this.#data.revenue = 0;
  }
}

const dayOf = (timeMs: number): number => Math.floor(timeMs / DAY_MS) * DAY_MS;

export const STATS_EVERY_MS = 30_000;
export const slotOf = (timeMs: number): number => Math.floor(timeMs / STATS_EVERY_MS);

const forget = (heard: Map<string, number>, beforeMs: number): void => {
  for (const [id, timeMs] of heard) {
    if (timeMs >= beforeMs) return;
    heard.delete(id);
  }
};

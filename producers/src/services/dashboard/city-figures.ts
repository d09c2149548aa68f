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

export class CityFigures {
  readonly #online = new Set<string>();
  /** When each was last heard of, the longest ago first. */
  readonly #users = new Map<string, number>();
  readonly #merchants = new Map<string, number>();
  #dayMs = 0;
  #orders = 0;
  #revenue = 0;
  #statsSlot = -1;

  fold(event: PastEvent): void {
    switch (event.type) {
      case 'order.created':
        this.#turn(event.timeMs);
        if (dayOf(event.timeMs) === this.#dayMs) {
          this.#orders++;
          this.#revenue += event.payload.total;
        }
        return this.#hear(event.keys, event.timeMs);
      case 'order.status_changed':
        return this.#hear(event.keys, event.timeMs);
      case 'user.online':
        return void this.#online.add(event.payload.userId);
      case 'user.offline':
        return void this.#online.delete(event.payload.userId);
      case 'dashboard.stats':
        this.#statsSlot = Math.max(this.#statsSlot, slotOf(Date.parse(event.payload.timestamp)));
        return;
      default:
    }
  }

  /** Statistics were told within this half minute. */
  isTold(nowMs: number): boolean {
    return this.#statsSlot >= slotOf(nowMs);
  }

  figures(nowMs: number): Figures {
    this.#turn(nowMs);
    forget(this.#users, nowMs - ACTIVE_MS);
    forget(this.#merchants, nowMs - ACTIVE_MS);
    const away = [...this.#users.keys()].filter((userId) => !this.#online.has(userId));
    return {
      todayOrders: this.#orders,
      todayRevenue: Math.round(this.#revenue * 100) / 100,
      activeUsers: this.#online.size + away.length,
      activeMerchants: this.#merchants.size,
    };
  }

  #hear({ userId, merchantId }: { readonly userId: string; readonly merchantId: string }, timeMs: number): void {
    for (const [map, id] of [
      [this.#users, userId],
      [this.#merchants, merchantId],
    ] as const) {
      map.delete(id);
      map.set(id, timeMs);
    }
  }

  #turn(nowMs: number): void {
    if (dayOf(nowMs) <= this.#dayMs) return;
    this.#dayMs = dayOf(nowMs);
    this.#orders = 0;
    this.#revenue = 0;
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

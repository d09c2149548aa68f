import { orders, rez } from '@sluice/schemas';
import { beforeAll, describe, expect, test } from 'vitest';
import { EventEncoder } from '../../event-encoder.ts';
import { seededRandom } from '../../random.ts';
import type { OrderEvent } from './order-life.ts';
import { isLegalTransition, type OrderStatus } from './order-status.ts';
import { City, SHOWCASE_ORDER, toOrder } from './simulation.ts';

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

const live = (minutes: number, options: { orders?: number; seed?: number; pace?: number; stepMs?: number } = {}) => {
  const { orders = 60, seed = 1, pace = 1, stepMs = 1_000 } = options;
  const city = new City({ orders, startMs: START_MS, random: seededRandom(seed), pace });
  const events: OrderEvent[] = [];
  for (let nowMs = START_MS; nowMs <= START_MS + minutes * MINUTE_MS; nowMs += stepMs) {
    events.push(...city.advance(nowMs));
  }
  return events;
};

const byOrder = (events: readonly OrderEvent[]): Map<string, OrderEvent[]> => {
  const orders = new Map<string, OrderEvent[]>();
  for (const event of events) {
    const list = orders.get(event.keys.orderId) ?? [];
    orders.set(event.keys.orderId, list);
    list.push(event);
  }
  return orders;
};

/** The lives of an order, one after the other: each begins with its creation. */
const livesOf = (events: readonly OrderEvent[]): OrderEvent[][] => {
  const lives: OrderEvent[][] = [];
  for (const event of events) {
    if (event.type === 'order.created') lives.push([]);
    lives.at(-1)!.push(event);
  }
  return lives;
};

describe('half an hour of the city', () => {
  let events: OrderEvent[];
  let lives: OrderEvent[][];
  beforeAll(() => {
    events = live(30);
    lives = [...byOrder(events).values()].flatMap(livesOf);
  });

  test('every payload fits the catalogue and every key its subject', () => {
    const encoder = new EventEncoder(rez, 'msgpack');
    for (const { type, keys, payload } of events) encoder.encode(type, { ...keys }, payload);
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(orders.families.flatMap(({ name, types }) => Object.keys(types).map((type) => `${name}.${type}`))),
    );
  });

  test('orders change their status only as the law allows, and say what it was before', () => {
    const ends: (OrderStatus | undefined)[] = [];
    const illegal: string[] = [];
    for (const life of lives) {
      let status: OrderStatus | undefined;
      for (const event of life) {
        if (event.type !== 'order.status_changed') continue;
        const next = event.payload.status as OrderStatus;
        const isLegal = isLegalTransition(status, next) && event.payload.previousStatus === status;
        if (!isLegal) illegal.push(`${status} -> ${next}`);
        status = next;
      }
      ends.push(status);
    }
    expect(illegal).toEqual([]);
    expect(ends.filter((status) => status === 'delivered').length).toBeGreaterThan(100);
    expect(ends).toContain('cancelled');
  });

  test('everything happens in order and carries the time at which it happened', () => {
    expect(events.filter(({ atMs }, i) => atMs < (events[i - 1]?.atMs ?? 0))).toEqual([]);
    const misdated = events.filter(({ payload, atMs }) => {
      const stamp = 'createdAt' in payload ? payload.createdAt : payload.timestamp!;
      return Math.abs(Date.parse(stamp) - atMs) > 1;
    });
    expect(misdated).toEqual([]);
  });

  test('a payment is confirmed before its order is, and a cancelled one is given back', () => {
    for (const life of lives) {
      const types = life.map((event) =>
        event.type === 'order.status_changed' ? event.payload.status : event.type.replace('order.', ''),
      );
      expect(types.slice(0, 3)).toEqual(['created', 'placed', 'payment.processing'].slice(0, types.length));
      if (types.includes('confirmed')) {
        expect(types.indexOf('payment.confirmed')).toBeLessThan(types.indexOf('confirmed'));
      }
      if (types.includes('payment.failed')) expect(types.at(-1)).toBe('cancelled');
    }
    const refunds = events.filter((event) => event.type === 'payment.refund_updated');
    expect(refunds.length).toBeGreaterThan(1);
  });

  test('a driver is heard from about once a second, moves as fast as a scooter, and ends at the door', () => {
    let rides = 0;
    const intervals: number[] = [];
    const speeds: number[] = [];
    for (const life of lives) {
      const seen = life.filter((event) => event.type === 'order.location_updated');
      for (let i = 1; i < seen.length; i++) {
        const [before, now] = [seen[i - 1]!, seen[i]!];
        const seconds = (now.atMs - before.atMs) / 1_000;
        intervals.push(seconds);
        const north = (now.payload.location.latitude - before.payload.location.latitude) * 111_320;
        const east = (now.payload.location.longitude - before.payload.location.longitude) * 108_480;
        speeds.push(Math.hypot(north, east) / seconds);
      }
      if (!life.some((event) => event.type === 'order.status_changed' && event.payload.status === 'delivered'))
        continue;
      rides++;
      expect(seen.at(-1)!.payload.distanceToDestination).toBe(0);
      expect(life.filter((event) => event.type === 'delivery.arrived').length).toBe(1);
    }
    expect(rides).toBeGreaterThan(100);
    expect(Math.min(...intervals)).toBeGreaterThan(0.85);
    expect(Math.max(...intervals)).toBeLessThan(1.15);
    expect(Math.max(...speeds)).toBeLessThan(16);
  });

  test('as many orders are alive as were asked for, but for short rests', () => {
    const afterMs = START_MS + 10 * MINUTE_MS;
    const within = (event: OrderEvent) => event.atMs > afterMs && event.atMs < afterMs + 3 * MINUTE_MS;
    const heard = new Set(events.filter(within).map(({ keys }) => keys.orderId));
    expect(heard.size).toBeGreaterThanOrEqual(60);
  });

  test('numbers come round again, always with the same user and merchant', () => {
    const orders = byOrder(events);
    expect(orders.size).toBeLessThanOrEqual(300);
    for (const list of orders.values()) {
      expect(new Set(list.map(({ keys }) => `${keys.merchantId} ${keys.userId}`)).size).toBe(1);
    }
    expect([...orders.values()].filter((list) => livesOf(list).length > 1).length).toBeGreaterThan(5);
  });
});

describe('the order that a newcomer watches', () => {
  test('is o-17 of u-1 and m-1, is never silent for long, and is mostly on the road', () => {
    const events = byOrder(live(30, { orders: 3 })).get(`o-${SHOWCASE_ORDER}`)!;
    expect(events[0]!.keys).toEqual({ orderId: 'o-17', userId: 'u-1', merchantId: 'm-1' });
    const silences = events.slice(1).map(({ atMs }, i) => atMs - events[i]!.atMs);
    expect(Math.max(...silences)).toBeLessThan(4_500);
    const driven = events.filter(({ type }) => type === 'order.location_updated').length;
    expect(driven).toBeGreaterThan(30 * 60 * 0.75);
    expect(livesOf(events).length).toBeGreaterThan(8);
    expect(events.some(({ type }) => type === 'payment.failed')).toBe(false);
  });
});

describe('time and chance', () => {
  test('one seed makes one city, another seed another', () => {
    expect(live(3, { seed: 7 })).toEqual(live(3, { seed: 7 }));
    expect(live(3, { seed: 7 })).not.toEqual(live(3, { seed: 8 }));
  });

  test('how often one looks does not change what happens to an order', () => {
    const often = byOrder(live(5, { orders: 1, stepMs: 100 })).get('o-17');
    const seldom = byOrder(live(5, { orders: 1, stepMs: 60_000 })).get('o-17');
    expect(seldom).toEqual(often);
  });

  test('at twice the pace about twice as much happens', () => {
    const ratio = live(10, { pace: 2 }).length / live(10).length;
    expect(ratio).toBeGreaterThan(1.5);
    expect(ratio).toBeLessThan(2.6);
  });

  test('of the past only what still matters is told', () => {
    const city = new City({ orders: 40, startMs: START_MS, random: seededRandom(3) });
    const nowMs = START_MS + 10 * MINUTE_MS;
    const events = city.advance(nowMs, nowMs - 3_000);
    const isPassing = (event: OrderEvent) => /location_updated|eta_updated/.test(event.type);
    expect(events.filter((event) => isPassing(event) && event.atMs < nowMs - 3_000)).toEqual([]);
    expect(events.filter(isPassing).length).toBeGreaterThan(10);
    for (const life of [...byOrder(events).values()].flatMap(livesOf)) {
      expect(life.slice(0, 2).map(({ type }) => type)).toEqual(['order.created', 'order.status_changed']);
    }
  });
});

test('every number has its own order, spread over users and merchants', () => {
  const orders = Array.from({ length: 1_000 }, (_, index) => toOrder(index + 1));
  expect(new Set(orders.map(({ user }) => user)).size).toBe(60);
  expect(new Set(orders.map(({ merchant }) => merchant)).size).toBe(23);
  expect(toOrder(SHOWCASE_ORDER)).toEqual({ number: 17, merchant: 1, user: 1 });
});

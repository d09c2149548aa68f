// The city: as many orders alive at once as asked for, each telling its story. Pure: time and chance are given.
// Order numbers come round again, so that a city that runs for days does not fill its streams with new subjects: the
// states of a user or a merchant stay few enough for one snapshot.
import { between, type Random } from '../../random.ts';
import { type Order, type OrderEvent, orderLife } from './order-life.ts';
import { CUSTOMERS, MERCHANTS } from './people.ts';

export interface CityOptions {
  /** Orders alive at once. */
  readonly orders: number;
  /** When the city wakes up; its orders are spread over the minutes after that. */
  readonly startMs: number;
  readonly random: Random;
  readonly pace?: number;
}

/** Of merchant m-1 and user u-1, delivered and placed again for ever: there is always something to see on it. */
export const SHOWCASE_ORDER = 17;

/** Coprime, so that every merchant meets every user. */
const USERS = CUSTOMERS;
const NUMBERS_PER_ORDER = 5;
const MIN_NUMBERS = 40;
/** About the time from placed to delivered. */
const LIFE_MS = 240_000;
const REST_SECONDS = { ordinary: [2, 8], showcase: [2, 3] } as const;

interface Slot {
  readonly isShowcase: boolean;
  order: Order;
  life: Generator<OrderEvent, number>;
  /** The next event that will happen here. */
  next: OrderEvent;
}

export class City {
  readonly #random: Random;
  readonly #pace: number;
  readonly #slots: Slot[];
  readonly #numbers: number;
  readonly #alive = new Set<number>();
  #lastNumber = 0;

  constructor({ orders, startMs, random, pace = 1 }: CityOptions) {
    this.#random = random;
    this.#pace = pace;
    this.#numbers = Math.max(MIN_NUMBERS, orders * NUMBERS_PER_ORDER);
    this.#slots = Array.from({ length: orders }, (_, index) => {
      const delayMs = (random() * LIFE_MS) / pace;
      return this.#place(index === 0, startMs + (index === 0 ? 0 : delayMs));
    });
  }

  /**
   * What has happened since the last call, up to now, in the order of time. Positions and ETAs from before
   * `freshFromMs` are left out: after an outage nobody wants to know where a driver was.
   */
  advance(nowMs: number, freshFromMs: number = Number.NEGATIVE_INFINITY): OrderEvent[] {
    const events: OrderEvent[] = [];
    for (const [index, slot] of this.#slots.entries()) {
      for (let current = slot; current.next.atMs <= nowMs; current = this.#slots[index]!) {
        if (current.next.atMs >= freshFromMs || !isPassing(current.next)) events.push(current.next);
        this.#step(index, current);
      }
    }
    return events.sort((a, b) => a.atMs - b.atMs);
  }

  #step(index: number, slot: Slot): void {
    const told = slot.life.next();
    if (!told.done) {
      slot.next = told.value;
      return;
    }
    const [low, high] = slot.isShowcase ? REST_SECONDS.showcase : REST_SECONDS.ordinary;
    this.#alive.delete(slot.order.number);
    this.#slots[index] = this.#place(
      slot.isShowcase,
      told.value + (between(this.#random, low, high) * 1_000) / this.#pace,
    );
  }

  #place(isShowcase: boolean, startMs: number): Slot {
    const order = toOrder(isShowcase ? SHOWCASE_ORDER : this.#freeNumber());
    this.#alive.add(order.number);
    const life = orderLife(order, { startMs, random: this.#random, pace: this.#pace, isShowcase });
    const first = life.next();
    if (first.done) throw new Error('An order without a story');
    return { isShowcase, order, life, next: first.value };
  }

  #freeNumber(): number {
    do {
      this.#lastNumber = (this.#lastNumber % this.#numbers) + 1;
    } while (this.#lastNumber === SHOWCASE_ORDER || this.#alive.has(this.#lastNumber));
    return this.#lastNumber;
  }
}

/** An order of a number always has the same merchant and user: its subjects stay the same when it comes round. */
export const toOrder = (number: number): Order => {
  const place = number + USERS * MERCHANTS - SHOWCASE_ORDER;
  return { number, merchant: (place % MERCHANTS) + 1, user: (place % USERS) + 1 };
};

const isPassing = ({ type }: OrderEvent): boolean => type === 'order.location_updated' || type === 'order.eta_updated';

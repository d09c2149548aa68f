// The story of one order, told event by event in the order of time. Pure: it reads no clock, it says when.
import type { RezEvents } from '@sluice/schemas';
import { between, pick, type Random } from '../../random.ts';
import type { OrderStatus } from './order-status.ts';
import { customer, type Driver, driver, shopName } from './people.ts';
import { cornerOf, planRoute, spotAlong } from './streets.ts';

export interface OrderKeys {
  readonly merchantId: string;
  readonly userId: string;
  readonly orderId: string;
}

type OrderEventType = Extract<keyof RezEvents, `${'order' | 'delivery' | 'payment'}.${string}`>;

/** Something that happened to an order, ready to be published. */
export type OrderEvent = {
  readonly [Type in OrderEventType]: {
    readonly atMs: number;
    readonly type: Type;
    readonly keys: OrderKeys;
    readonly payload: RezEvents[Type];
  };
}[OrderEventType];

export interface Order {
  readonly number: number;
  readonly merchant: number;
  readonly user: number;
}

export interface LifeOptions {
  readonly startMs: number;
  readonly random: Random;
  /** How many times faster than life. */
  readonly pace: number;
  /** Always goes well, and is on the road most of the time: the order that a newcomer watches. */
  readonly isShowcase: boolean;
}

/** Its orders are paid by the story: the payments service leaves them alone. */
const CITY = 'city';
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const LOCATION_EVERY_MS = SECOND_MS;
const LOCATION_JITTER = 0.1;
const ETA_EVERY_MS = 10 * SECOND_MS;
/** Nobody is asked to wait at the door before the driver is that near. */
const ARRIVED_METRES = 40;

const MESSAGES: Readonly<Record<OrderStatus, string>> = {
  placed: 'Your order has been placed',
  confirmed: 'The restaurant has confirmed your order',
  processing: 'Your order is being processed',
  preparing: 'Your food is being prepared',
  ready: 'Your order is ready for pickup',
  out_for_delivery: 'Your order is on its way',
  delivered: 'Your order has been delivered. Enjoy!',
  cancelled: 'Your order has been cancelled',
};

const ORDINARY = { confirm: [4, 15], start: [3, 10], cook: [25, 80], pickUp: [5, 20], handOver: [5, 15] } as const;
const SHOWCASE = { confirm: [2, 3], start: [1, 2], cook: [2, 4], pickUp: [1, 2], handOver: [2, 4] } as const;

export const keysOf = ({ merchant, user, number }: Order): OrderKeys => ({
  merchantId: `m-${merchant}`,
  userId: `u-${user}`,
  orderId: `o-${number}`,
});

/** From `order.created` to its end; what it returns is when the order was over. */
export function* orderLife(order: Order, options: LifeOptions): Generator<OrderEvent, number> {
  const { random, pace, isShowcase } = options;
  const keys = keysOf(order);
  const { orderId } = keys;
  const orderNumber = `RZ-${10_000 + order.number}`;
  const timings = isShowcase ? SHOWCASE : ORDINARY;
  const total = Math.round(between(random, 150, 1_500));
  const payment = {
    paymentId: `pay-${orderId}`,
    orderId,
    amount: total,
    currency: 'INR',
    method: 'upi',
    provider: CITY,
  };
  let atMs = options.startMs;
  let status: OrderStatus | undefined;

  const pass = (range: readonly [number, number]): void => {
    atMs += (between(random, range[0], range[1]) * SECOND_MS) / pace;
  };
  const stamp = (offsetMs = 0): string => new Date(Math.round(atMs + offsetMs)).toISOString();
  const become = (next: OrderStatus, more: Partial<RezEvents['order.status_changed']> = {}): OrderEvent => {
    const previous = status;
    status = next;
    const base = { orderId, orderNumber, status: next, message: MESSAGES[next], timestamp: stamp() };
    const payload = { ...base, ...(previous !== undefined && { previousStatus: previous }), ...more };
    return { atMs, type: 'order.status_changed', keys, payload };
  };

  const created = {
    ...{ orderId, orderNumber, merchantId: keys.merchantId, userId: keys.userId, customer: customer(order.user) },
    ...{ items: 1 + Math.floor(random() * 6), total, type: 'delivery', createdAt: stamp() },
    ...{ merchantName: shopName(order.merchant), provider: CITY },
  };
  yield { atMs, type: 'order.created', keys, payload: created };
  yield become('placed');
  yield { atMs, type: 'payment.processing', keys, payload: { ...payment, timestamp: stamp() } };

  pass([1, 3]);
  if (!isShowcase && random() < 0.04) {
    const reason = pick(random, ['The bank declined the payment', 'The payment was not approved in time']);
    yield { atMs, type: 'payment.failed', keys, payload: { ...payment, reason, timestamp: stamp() } };
    yield become('cancelled', { message: 'Your order has been cancelled: the payment failed' });
    return atMs;
  }
  yield { atMs, type: 'payment.confirmed', keys, payload: { ...payment, timestamp: stamp() } };

  pass(timings.confirm);
  yield become('confirmed', { estimatedDelivery: stamp((4 * MINUTE_MS) / pace) });
  if (!isShowcase && random() < 0.03) {
    pass([2, 8]);
    yield become('cancelled', { message: 'The restaurant has cancelled your order: an item is sold out' });
    for (const refundStatus of ['pending', 'completed']) {
      pass([2, 6]);
      const refund = { ...payment, reason: 'Cancelled by the restaurant', refundStatus, timestamp: stamp() };
      yield { atMs, type: 'payment.refund_updated', keys, payload: refund };
    }
    return atMs;
  }
  pass(timings.start);
  yield become('preparing', { estimatedDelivery: stamp((3 * MINUTE_MS) / pace) });
  pass(timings.cook);
  yield become('ready');
  pass(timings.pickUp);
  const deliveryPartner = driver(1 + Math.floor(random() * 80));
  yield become('out_for_delivery', { deliveryPartner });

  atMs = yield* ride({ order, keys, orderNumber, deliveryPartner, startMs: atMs, random, pace });
  pass(timings.handOver);
  yield become('delivered', { deliveryPartner });
  return atMs;
}

interface Ride {
  readonly order: Order;
  readonly keys: OrderKeys;
  readonly orderNumber: string;
  readonly deliveryPartner: Driver;
  readonly startMs: number;
  readonly random: Random;
  readonly pace: number;
}

/** From the restaurant to the door, with traffic; returns when the driver has stopped there. */
function* ride(options: Ride): Generator<OrderEvent, number> {
  const { order, keys, orderNumber, deliveryPartner, startMs, random, pace } = options;
  const { orderId } = keys;
  const route = planRoute(cornerOf(order.merchant, 1), homeOf(order), random);
  const cruising = between(random, 7, 11);
  let atMs = startMs;
  let gone = 0;
  let stopUntilMs = 0;
  let nextEtaMs = startMs;
  let promisedMs: number | undefined;
  let isAnnounced = false;

  for (;;) {
    const left = Math.max(0, route.metres - gone);
    const timestamp = new Date(Math.round(atMs)).toISOString();
    const arrivalMs = atMs + ((left / cruising) * SECOND_MS) / pace;
    const { address, ...point } = spotAlong(route, gone);
    const location = { ...point, address };
    const distanceToDestination = Math.round(left) / 1_000;
    const estimatedArrival = toText(arrivalMs - atMs);
    const seen = { orderId, location, distanceToDestination, deliveryPartner, estimatedArrival, timestamp };
    yield { atMs, type: 'order.location_updated', keys, payload: seen };
    if (atMs >= nextEtaMs && left > ARRIVED_METRES) {
      promisedMs ??= arrivalMs;
      const delayMinutes = Math.round(((arrivalMs - promisedMs) / MINUTE_MS) * 10) / 10;
      const eta = { orderId, estimatedArrival: new Date(Math.round(arrivalMs)).toISOString(), delayMinutes, timestamp };
      yield { atMs, type: 'order.eta_updated', keys, payload: eta };
      nextEtaMs = atMs + ETA_EVERY_MS / pace;
    }
    if (!isAnnounced && left <= ARRIVED_METRES) {
      isAnnounced = true;
      const message = `${deliveryPartner.name} has arrived with your order`;
      const partner = { name: deliveryPartner.name, phone: deliveryPartner.phone };
      const arrived = { orderId, orderNumber, deliveryPartner: partner, message, timestamp };
      yield { atMs, type: 'delivery.arrived', keys, payload: arrived };
    }
    if (left === 0) return atMs;
    const stepMs = (LOCATION_EVERY_MS * between(random, 1 - LOCATION_JITTER, 1 + LOCATION_JITTER)) / pace;
    // A red light now and then.
    if (atMs >= stopUntilMs && random() < 0.02) stopUntilMs = atMs + (between(random, 2, 6) * SECOND_MS) / pace;
    if (atMs >= stopUntilMs) gone += (cruising * between(random, 0.8, 1.2) * stepMs * pace) / SECOND_MS;
    atMs += stepMs;
  }
}

/** Not next door to the restaurant: there would be nothing to watch. */
const homeOf = ({ merchant, user }: Order): ReturnType<typeof cornerOf> => {
  const shop = cornerOf(merchant, 1);
  let home = cornerOf(user, 2);
  for (let salt = 3; Math.abs(home.cross - shop.cross) + Math.abs(home.main - shop.main) < 6; salt++) {
    home = cornerOf(user, salt);
  }
  return home;
};

const toText = (durationMs: number): string => {
  const minutes = Math.ceil(durationMs / MINUTE_MS);
  return minutes <= 1 ? '1 minute' : `${minutes} minutes`;
};

// Who connects: orders as channels, and the users that watch them.
import type { Issuer } from './tokens.ts';
import type { LoadChannel } from './load-event.ts';
import type { SocketPlan, SubscriptionPlan } from './load-socket.ts';

export const createOrders = (count: number): LoadChannel[] =>
  Array.from({ length: count }, (_, i) => ({ orderId: `o-${i}`, userId: `u-${i}` }));

export const channelOf = ({ orderId }: LoadChannel): string => `order:${orderId}`;

/**
 * Back-office users, each a user of its own: what they see of an order has the same filters (`order.*.*.<order>.*`), so
 * that those who watch one order share a channel.
 */
export const createOperators = (
  issuer: Issuer,
  count: number,
  subscriptions: (index: number) => readonly SubscriptionPlan[],
): Promise<SocketPlan[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      token: await issuer.sign(`operator-${i}`, 'operator'),
      subscriptions: subscriptions(i),
    })),
  );

/** The customer of each order, watching it. */
export const createCustomers = (issuer: Issuer, orders: readonly LoadChannel[]): Promise<SocketPlan[]> =>
  Promise.all(
    orders.map(async (order) => ({
      token: await issuer.sign(order.userId, 'customer'),
      subscriptions: [{ channel: channelOf(order), first: 'none' as const, next: 0 }],
    })),
  );

/** Sockets of a raw server: nothing to say, one stream of events each. */
export const createSilent = (count: number): SocketPlan[] =>
  Array.from({ length: count }, () => ({ subscriptions: [{ channel: 'raw' }] }));

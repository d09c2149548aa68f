// Takes orders, leads them through their statuses, and keeps count of what is on the shelves.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { emptyBook, foldBook, forgetOrders, type OrderBook } from './order-book.ts';
import { decideOrders, reactToOrders } from './orders.ts';

export const ordersService: ServiceDefinition<OrderBook> = defineService({
  name: 'orders',
  catalogue: rez,
  reads: ['store', 'product', 'order.created', 'order.status_changed'],
  // An order takes from several shelves at once: all of them or none.
  guards: { product: ['storeId'] },
  commands: ['order.place', 'order.cancel', 'order.update_status'],
  initial: emptyBook,
  snapshotVersion: 1,
  forget: forgetOrders,
  fold: foldBook,
  decide: decideOrders,
  lane: ({ name, data, actor }) => {
    if (name === 'order.place') return data.merchantId;
    return name === 'order.cancel' || name === 'order.update_status' ? data.orderId : actor.sub;
  },
  reactsTo: ['order.status_changed', 'payment.failed'],
  react: reactToOrders,
});

// Order tracking alone: three families over two streams, and who sees what of them. The smallest catalogue that is of use;
// the gateway's own tests and benchmarks run on it, so that the reference domain may grow without moving what they test.
import { catalogue, channel, claim, filter, param } from '../catalogue/define.ts';
import { delivery } from './delivery.ts';
import { orderUnconflated as order } from './order.ts';
import { payment } from './payment.ts';

const MERCHANTS = ['merchant_owner', 'merchant_staff'] as const;
const ADMINS = ['super_admin', 'admin', 'operator'] as const;

/** One order. Payments are for its customer and admins, not for the merchant. */
const orderChannel = channel({
  name: 'order:{orderId}',
  first: 'states',
  access: [
    {
      roles: ['customer'],
      filters: [order, delivery, payment].map((family) =>
        filter(family, { userId: claim('sub'), orderId: param('orderId') }),
      ),
    },
    {
      roles: MERCHANTS,
      filters: [order, delivery].map((family) =>
        filter(family, { merchantId: claim('merchantId'), orderId: param('orderId') }),
      ),
    },
    {
      roles: ADMINS,
      filters: [order, delivery, payment].map((family) => filter(family, { orderId: param('orderId') })),
    },
  ],
});

/** What concerns one user; locations and ETAs travel only on the order's channel. */
const userChannel = channel({
  name: 'user:{userId}',
  owner: { userId: claim('sub') },
  first: 'states',
  access: [
    {
      roles: 'any',
      filters: [
        filter(order, { userId: param('userId') }, ['created', 'status_changed']),
        filter(delivery, { userId: param('userId') }),
        filter(payment, { userId: param('userId') }),
      ],
    },
  ],
});

/** A merchant's orders: creation and status, not locations. */
const merchantChannel = channel({
  name: 'merchant:{merchantId}',
  owner: { merchantId: claim('merchantId') },
  first: 'states',
  access: [
    {
      roles: MERCHANTS,
      filters: [filter(order, { merchantId: param('merchantId') }, ['created', 'status_changed'])],
    },
  ],
});

export const orders = catalogue({
  families: [order, delivery, payment],
  channels: [orderChannel, userChannel, merchantChannel],
  role: { claim: 'role', fallback: 'customer' },
});

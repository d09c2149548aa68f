// One order on the way, and the merchant whose shop it comes from.
import { channel, claim, filter, param, type Binding, type FilterDefinition } from '../../catalogue/define.ts';
import { delivery } from '../delivery.ts';
import { notification } from '../notification.ts';
import { order } from '../order.ts';
import { payment } from '../payment.ts';
import { product } from '../product.ts';
import { ADMINS, CUSTOMER, DELIVERY_PARTNER, MERCHANTS } from '../roles.ts';
import { store } from '../store.ts';

const ofOrder = (whose: Readonly<Record<string, Binding>>): readonly FilterDefinition[] =>
  [order, delivery].map((family) => filter(family, { ...whose, orderId: param('orderId') }));

const paymentOf = (whose: Readonly<Record<string, Binding>>): FilterDefinition =>
  filter(payment, { ...whose, orderId: param('orderId') });

/** One order. Payments are for its customer and admins; a delivery partner sees it from assignment to delivery. */
const orderChannel = channel({
  name: 'order:{orderId}',
  first: 'states',
  rooms: ['order-{orderId}', 'order:{orderId}'],
  access: [
    {
      roles: [CUSTOMER],
      filters: [...ofOrder({ userId: claim('sub') }), paymentOf({ userId: claim('sub') })],
    },
    { roles: MERCHANTS, filters: ofOrder({ merchantId: claim('merchantId') }) },
    { roles: [DELIVERY_PARTNER], isGranted: true, filters: ofOrder({}) },
    { roles: ADMINS, filters: [...ofOrder({}), paymentOf({})] },
  ],
});

const shop: readonly FilterDefinition[] = [
  filter(order, { merchantId: param('merchantId') }, ['created', 'status_changed']),
  filter(product, { storeId: param('merchantId') }),
  filter(store, { storeId: param('merchantId') }),
  filter(notification, { recipientId: param('merchantId') }, ['created', 'sound']),
];

/** A merchant's orders (creation and status, not locations), stock and sounds; by grant where tokens name no merchant. */
const merchantChannel = channel({
  name: 'merchant:{merchantId}',
  first: 'states',
  omitsEnded: true,
  plain: { merchantId: claim('merchantId') },
  joined: MERCHANTS,
  access: [
    { roles: MERCHANTS, where: { merchantId: claim('merchantId') }, filters: shop },
    { roles: MERCHANTS, isGranted: true, filters: shop },
  ],
});

export const orderChannels = [orderChannel, merchantChannel] as const;

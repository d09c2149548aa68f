// Orders: placed by a customer, prepared by a merchant, tracked on a map until delivered.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { DeliveryPartner, Id, Money, Name, Timestamp } from './fields.ts';
import { ORDER } from './streams.ts';

/** The statuses of today. The field is an open string: an unknown one passes the gateway. */
export const ORDER_STATUSES = [
  'placed',
  'confirmed',
  'processing',
  'preparing',
  'ready',
  'out_for_delivery',
  'delivered',
  'cancelled',
] as const;

const Status = Type.String({ minLength: 1, maxLength: 64, examples: [...ORDER_STATUSES] });

export const order = family({
  name: 'order',
  subject: 'order.{merchantId}.{userId}.{orderId}',
  stream: ORDER,
  types: {
    created: state(
      Type.Object({
        orderId: Id,
        orderNumber: Type.String({ maxLength: 64 }),
        merchantId: Id,
        userId: Id,
        customer: Type.Object({ name: Name, phone: Type.String({ maxLength: 40 }) }),
        /** Number of items. */
        items: Type.Integer({ minimum: 0 }),
        total: Money,
        type: Type.String({ maxLength: 64 }),
        createdAt: Timestamp,
      }),
    ),
    status_changed: state(
      Type.Object({
        orderId: Id,
        orderNumber: Type.Optional(Type.String({ maxLength: 64 })),
        status: Status,
        previousStatus: Type.Optional(Status),
        message: Type.Optional(Type.String({ maxLength: 1_000 })),
        estimatedDelivery: Type.Optional(Type.String({ maxLength: 64 })),
        deliveryPartner: Type.Optional(DeliveryPartner),
        timestamp: Timestamp,
      }),
      { aliases: ['order:status_update', 'order.statusChanged'] },
    ),
    location_updated: state(
      Type.Object({
        orderId: Id,
        location: Type.Object({
          latitude: Type.Number({ minimum: -90, maximum: 90 }),
          longitude: Type.Number({ minimum: -180, maximum: 180 }),
          address: Type.Optional(Type.String({ maxLength: 500 })),
        }),
        distanceToDestination: Type.Optional(Type.Number({ minimum: 0, description: 'km' })),
        deliveryPartner: Type.Optional(DeliveryPartner),
        estimatedArrival: Type.Optional(Type.String({ maxLength: 64 })),
        timestamp: Timestamp,
      }),
      { aliases: ['order:location_update', 'delivery.locationUpdated'] },
    ),
    eta_updated: state(
      Type.Object({
        orderId: Id,
        estimatedArrival: Timestamp,
        delayMinutes: Type.Optional(Type.Number()),
        timestamp: Timestamp,
      }),
      { aliases: ['order:eta_update'] },
    ),
  },
});

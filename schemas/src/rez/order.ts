// Orders: placed by a customer, prepared by a merchant, tracked on a map until delivered.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { CausedBy, Count, DeliveryPartner, Id, Location, Money, Name, Timestamp } from './fields.ts';
import { locationsOfOldDeliveries, statusesWithMessage, statusesWithMetadata } from './order-legacy.ts';
import { FINAL_STATUSES, ORDER_STATUSES } from './order-statuses.ts';
import { ADMINS } from './roles.ts';
import { ORDER } from './streams.ts';

const LOCATION_EVERY_MS = 1_000;

const Status = Type.String({ minLength: 1, maxLength: 64, examples: [...ORDER_STATUSES] });

const types = {
  created: state(
    Type.Object({
      orderId: Id,
      orderNumber: Type.String({ maxLength: 64 }),
      merchantId: Id,
      userId: Id,
      customer: Type.Object({ name: Name, phone: Type.String({ maxLength: 40 }) }),
      /** Number of items. */
      items: Count,
      total: Money,
      type: Type.String({ maxLength: 64 }),
      createdAt: Timestamp,
      ...CausedBy,
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
      ...CausedBy,
    }),
    {
      ends: { field: 'status', values: FINAL_STATUSES },
      aliases: [
        { name: 'order:status_update', ...statusesWithMessage },
        { name: 'order.statusChanged', ...statusesWithMetadata },
      ],
    },
  ),
  location_updated: state(
    Type.Object({
      orderId: Id,
      location: Location,
      distanceToDestination: Type.Optional(Type.Number({ minimum: 0, description: 'km' })),
      deliveryPartner: Type.Optional(DeliveryPartner),
      estimatedArrival: Type.Optional(Type.String({ maxLength: 64 })),
      timestamp: Timestamp,
      ...CausedBy,
    }),
    { aliases: ['order:location_update', { name: 'delivery.locationUpdated', ...locationsOfOldDeliveries }] },
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
};

/** As `order`, but every location reaches everybody: what the catalogue of orders alone counts events with. */
export const orderUnconflated = family({
  name: 'order',
  subject: 'order.{merchantId}.{userId}.{orderId}',
  stream: ORDER,
  guard: { placeholders: { merchantId: ['merchantId'], userId: ['sub'] }, exempt: ADMINS },
  types,
});

export const order = family({
  ...orderUnconflated,
  types: { ...types, location_updated: { ...types.location_updated, conflate: { everyMs: LOCATION_EVERY_MS } } },
});

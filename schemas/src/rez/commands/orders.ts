// Placing an order and bringing it to the door; buying in a flash sale; putting a notification away.
import { Type } from 'typebox';
import { command } from '../../catalogue/define.ts';
import { ADMINS, DELIVERY_PARTNER, MERCHANTS } from '../roles.ts';
import { Location } from '../fields.ts';
import { ObjectId, Quantity, textField } from './fields.ts';

const MAX_LINES = 200;

const place = command({
  name: 'order.place',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({
    merchantId: ObjectId,
    items: Type.Array(Type.Object({ productId: ObjectId, quantity: Quantity }), { minItems: 1, maxItems: MAX_LINES }),
    /** `delivery`, `pickup`, ... */
    type: Type.Optional(textField(64)),
    note: Type.Optional(textField(1_000)),
    /** Where to, if it is to be brought. */
    destination: Type.Optional(Location),
  }),
});

const cancel = command({
  name: 'order.cancel',
  roles: 'any',
  offline: 'rejected_with_state',
  schema: Type.Object({ orderId: ObjectId, reason: Type.Optional(textField(1_000)) }),
});

const updateStatus = command({
  name: 'order.update_status',
  roles: [...MERCHANTS, DELIVERY_PARTNER, ...ADMINS],
  offline: 'rejected_with_state',
  schema: Type.Object({
    orderId: ObjectId,
    /** One of the known statuses; the service refuses others, and illegal transitions. */
    status: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-z][a-z_]*$' }),
    message: Type.Optional(textField(1_000)),
  }),
});

const reportLocation = command({
  name: 'delivery.report_location',
  roles: [DELIVERY_PARTNER, ...MERCHANTS],
  offline: 'last_wins',
  schema: Type.Object({ orderId: ObjectId, location: Location }),
});

/** Of the stock of a flash sale, which many want at once. */
const buy = command({
  name: 'promotion.buy',
  roles: 'any',
  offline: 'rejected_with_state',
  schema: Type.Object({
    saleId: ObjectId,
    productId: ObjectId,
    quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 1 })),
  }),
});

const markRead = command({
  name: 'notification.mark_read',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({ notificationIds: Type.Array(ObjectId, { minItems: 1, maxItems: 200 }) }),
});

export const orderCommands = [place, cancel, updateStatus, reportLocation] as const;
export const promotionCommands = [buy] as const;
export const notificationCommands = [markRead] as const;

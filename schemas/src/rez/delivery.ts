// The delivery partner at the door.
import { Type } from 'typebox';
import { family, moment } from '../catalogue/define.ts';
import { DeliveryPartner, Id, Timestamp } from './fields.ts';
import { ADMINS } from './roles.ts';
import { ORDER } from './streams.ts';

export const delivery = family({
  name: 'delivery',
  subject: 'delivery.{merchantId}.{userId}.{orderId}',
  stream: ORDER,
  guard: { placeholders: { merchantId: ['merchantId'], userId: ['sub'] }, exempt: ADMINS },
  types: {
    arrived: moment(
      Type.Object({
        orderId: Id,
        orderNumber: Type.String({ maxLength: 64 }),
        deliveryPartner: DeliveryPartner,
        message: Type.String({ maxLength: 1_000 }),
        timestamp: Timestamp,
      }),
    ),
  },
});

// Payments of orders, in a stream of their own: other retention rules, other producers.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { CausedBy, Id, Money, Timestamp } from './fields.ts';
import { ADMINS } from './roles.ts';
import { PAYMENT } from './streams.ts';

const Payment = Type.Object({
  paymentId: Id,
  orderId: Id,
  amount: Money,
  currency: Type.String({ minLength: 3, maxLength: 3 }),
  method: Type.Optional(Type.String({ maxLength: 64 })),
  reason: Type.Optional(Type.String({ maxLength: 1_000 })),
  refundStatus: Type.Optional(Type.String({ maxLength: 64 })),
  timestamp: Type.Optional(Timestamp),
  ...CausedBy,
});

export const payment = family({
  name: 'payment',
  subject: 'payment.{merchantId}.{userId}.{orderId}',
  stream: PAYMENT,
  // A merchant does not see how its customers pay.
  guard: { placeholders: { userId: ['sub'] }, exempt: ADMINS },
  types: {
    processing: state(Payment),
    confirmed: state(Payment),
    failed: state(Payment),
    refund_updated: state(Payment),
  },
});

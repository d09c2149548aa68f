// One cart per user, the same on all devices, and what it has reserved.
import { Type } from 'typebox';
import { family, moment, state } from '../catalogue/define.ts';
import { CausedBy, Count, Id, Money, Timestamp } from './fields.ts';
import { SHOP } from './streams.ts';

export const cart = family({
  name: 'cart',
  subject: 'cart.{userId}.{cartId}',
  stream: SHOP,
  guard: { placeholders: { userId: ['sub'] } },
  types: {
    sync: state(
      Type.Object({
        userId: Id,
        cartId: Id,
        items: Type.Array(Type.Object({ id: Id, productId: Id, quantity: Count, price: Money }), { maxItems: 500 }),
        totalItems: Count,
        totalPrice: Money,
        warnings: Type.Optional(
          Type.Array(Type.Object({ itemId: Id, productId: Id, available: Count }), { maxItems: 500 }),
        ),
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
    item_reserved: moment(
      Type.Object({
        cartId: Id,
        itemId: Id,
        productId: Id,
        reservedUntil: Timestamp,
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
    item_released: moment(
      Type.Object({
        cartId: Id,
        itemId: Id,
        productId: Id,
        reason: Type.Union([Type.Literal('timeout'), Type.Literal('purchased'), Type.Literal('removed')]),
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
  },
});

// What a product costs and how many are left.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { Count, Id, Money, Timestamp } from './fields.ts';
import { SHOP } from './streams.ts';

export const product = family({
  name: 'product',
  /** `storeId` is the merchant's id. */
  subject: 'product.{storeId}.{productId}',
  stream: SHOP,
  types: {
    price_updated: state(
      Type.Object({ productId: Id, storeId: Id, price: Money, previous: Money, timestamp: Timestamp }),
    ),
    stock_updated: state(
      Type.Object({ productId: Id, storeId: Id, stock: Count, previous: Count, timestamp: Timestamp }),
    ),
  },
});

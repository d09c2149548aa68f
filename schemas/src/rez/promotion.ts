// Flash sales: announced to everyone, counted down to the last item, nobody's business once they have ended.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { CausedBy, Count, Id, Timestamp, Url } from './fields.ts';
import { SHOP } from './streams.ts';

const STOCK_EVERY_MS = 500;

export const promotion = family({
  name: 'promotion',
  /** `productId`: `sale` for the sale itself. */
  subject: 'promotion.{saleId}.{productId}',
  stream: SHOP,
  types: {
    flash_sale_started: state(
      Type.Object({
        /** The saleId. */
        id: Id,
        title: Type.String({ maxLength: 200 }),
        description: Type.String({ maxLength: 2_000 }),
        /** As the sale says it: 20, or `20 %`. */
        discount: Type.Union([Type.Number(), Type.String({ maxLength: 64 })]),
        category: Type.String({ maxLength: 100 }),
        endsAt: Timestamp,
        imageUrl: Url,
        timestamp: Type.Optional(Timestamp),
      }),
      { aliases: ['promotion.flashSaleStarted'], expires: { field: 'endsAt' } },
    ),
    stock_update: state(
      Type.Object({
        saleId: Type.Optional(Id),
        productId: Id,
        stockRemaining: Count,
        totalStock: Count,
        percentageRemaining: Type.Number({ minimum: 0, maximum: 100 }),
        timestamp: Type.Optional(Timestamp),
        ...CausedBy,
      }),
      { aliases: ['promotion.stockUpdate'], conflate: { everyMs: STOCK_EVERY_MS } },
    ),
  },
});

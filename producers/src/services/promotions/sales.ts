// Flash sales: a stock that many want at once and that never goes below zero. Pure.
import {
  applied,
  type NewEvent,
  type PastEvent,
  rejected,
  type ServiceCommand,
  type Verdict,
} from '../../service/definition.ts';
import type { DecisionContext } from '../../service/definition.ts';
import { nameOfActor } from '../actor-name.ts';
import { orderNumberOf } from '../order-number.ts';

interface SaleProduct {
  remaining: number;
  total: number;
}

interface Sale {
  endsAtMs: number;
  discountPercent: number;
  readonly products: Map<string, SaleProduct>;
}

interface Product {
  readonly storeId: string;
  readonly price: number;
}

export interface Sales {
  readonly sales: Map<string, Sale>;
  readonly products: Map<string, Product>;
}

export const noSales = (): Sales => ({ sales: new Map(), products: new Map() });

/** The key that stands for the sale itself. */
const SALE = 'sale';

const saleOf = (state: Sales, saleId: string): Sale => {
  let sale = state.sales.get(saleId);
  if (!sale) {
    // Its stock may be announced before the sale is.
    sale = { endsAtMs: Number.POSITIVE_INFINITY, discountPercent: 0, products: new Map() };
    state.sales.set(saleId, sale);
  }
  return sale;
};

const toPercent = (discount: number | string): number => {
  const percent = typeof discount === 'number' ? discount : Number.parseFloat(discount);
  return percent >= 0 && percent <= 100 ? percent : 0;
};

export const foldSales = (state: Sales, event: PastEvent): void => {
  switch (event.type) {
    case 'promotion.flash_sale_started': {
      const sale = saleOf(state, event.keys.saleId);
      const endsAtMs = Date.parse(event.payload.endsAt);
      sale.endsAtMs = Number.isNaN(endsAtMs) ? 0 : endsAtMs;
      sale.discountPercent = toPercent(event.payload.discount);
      return;
    }
    case 'promotion.stock_update': {
      if (event.keys.productId === SALE) return;
      const { stockRemaining, totalStock } = event.payload;
      const { products } = saleOf(state, event.keys.saleId);
      products.set(event.keys.productId, { remaining: stockRemaining, total: totalStock });
      return;
    }
    case 'product.price_updated':
      state.products.set(event.keys.productId, { storeId: event.keys.storeId, price: event.payload.price });
      return;
    default:
  }
};

export const decideSales = (state: Sales, command: ServiceCommand, context: DecisionContext): Verdict => {
  if (command.name !== 'promotion.buy') return rejected('unknown_command', 'Not a command of promotions.');
  const { saleId, productId, quantity = 1 } = command.data;
  const sale = state.sales.get(saleId);
  const stock = sale?.products.get(productId);
  if (!sale || !stock) return rejected('unknown_sale', 'There is no such offer.');
  if (sale.endsAtMs <= context.nowMs) return rejected('sale_ended', 'The sale is over.');
  if (stock.remaining < quantity) {
    const reason = stock.remaining === 0 ? 'Sold out.' : `Only ${stock.remaining} left.`;
    return rejected('out_of_stock', reason, { saleId, productId, stockRemaining: stock.remaining });
  }
  const stockRemaining = stock.remaining - quantity;
  const percentageRemaining = stock.total === 0 ? 0 : Math.min(100, Math.round((stockRemaining / stock.total) * 100));
  const { timestamp } = context;
  const events: NewEvent[] = [
    {
      type: 'promotion.stock_update',
      keys: { saleId, productId },
      payload: { saleId, productId, stockRemaining, totalStock: stock.total, percentageRemaining, timestamp },
    },
  ];
  const product = state.products.get(productId);
  if (!product) return applied(events, { result: { saleId, productId, quantity } });
  const order = toOrder(command, sale, product, quantity, context);
  return applied([...events, order], { result: { saleId, productId, quantity, orderId: order.keys.orderId } });
};

const toOrder = (
  { actor, data }: Extract<ServiceCommand, { readonly name: 'promotion.buy' }>,
  sale: Sale,
  { storeId, price }: Product,
  quantity: number,
  context: DecisionContext,
): Extract<NewEvent, { readonly type: 'order.created' }> => {
  const orderId = context.id('o');
  const unitPrice = Math.round(price * (100 - sale.discountPercent)) / 100;
  return {
    type: 'order.created',
    keys: { merchantId: storeId, userId: actor.sub, orderId },
    payload: {
      orderId,
      orderNumber: orderNumberOf(orderId),
      merchantId: storeId,
      userId: actor.sub,
      customer: { name: nameOfActor(actor), phone: '' },
      items: quantity,
      total: Math.round(unitPrice * quantity * 100) / 100,
      type: 'flash_sale',
      createdAt: context.timestamp,
      ...{ saleId: data.saleId, lines: [{ productId: data.productId, quantity, price: unitPrice }] },
    },
  };
};

// What the orders service knows: orders and where they stand, what stores sell, and which stores are open. Pure.
import type { PastEvent } from '../../service/definition.ts';

export interface Line {
  readonly productId: string;
  readonly quantity: number;
  readonly price: number;
}

export interface Partner {
  /** Who may act as it; absent where somebody else than this service assigned it. */
  readonly id?: string;
  readonly name: string;
  readonly phone: string;
}

export interface Order {
  readonly orderId: string;
  readonly orderNumber: string;
  readonly merchantId: string;
  readonly userId: string;
  readonly type: string;
  readonly lines: readonly Line[];
  status: string;
  partner: Partner | undefined;
  /** When it was last heard of. */
  timeMs: number;
}

export interface Product {
  price: number | undefined;
  /** Undefined: nobody counts it. */
  stock: number | undefined;
}

export interface OrderBook {
  readonly orders: Map<string, Order>;
  /** By store and product. */
  readonly products: Map<string, Product>;
  readonly closedStores: Set<string>;
}

export const emptyBook = (): OrderBook => ({ orders: new Map(), products: new Map(), closedStores: new Set() });

export const productKey = (storeId: string, productId: string): string => `${storeId}.${productId}`;

const productOf = (book: OrderBook, storeId: string, productId: string): Product => {
  const key = productKey(storeId, productId);
  const known = book.products.get(key);
  if (known) return known;
  const product: Product = { price: undefined, stock: undefined };
  book.products.set(key, product);
  return product;
};

/** Payloads are open: the lines are this service's own addition, and may be anything in an event of somebody else. */
export const linesOf = (payload: Readonly<Record<string, unknown>>): readonly Line[] => {
  const { lines } = payload;
  if (!Array.isArray(lines)) return [];
  return (lines as unknown[]).filter(
    (line): line is Line =>
      typeof line === 'object' &&
      line !== null &&
      typeof (line as Line).productId === 'string' &&
      Number.isInteger((line as Line).quantity) &&
      (line as Line).quantity > 0,
  );
};

export const foldBook = (book: OrderBook, event: PastEvent): void => {
  switch (event.type) {
    case 'order.created': {
      const { orderId, merchantId, userId } = event.keys;
      const { orderNumber, type } = event.payload;
      const lines = linesOf(event.payload);
      book.orders.set(orderId, {
        ...{ orderId, orderNumber, merchantId, userId, type, lines },
        status: 'placed',
        partner: undefined,
        timeMs: event.timeMs,
      });
      return;
    }
    case 'order.status_changed': {
      const order = book.orders.get(event.keys.orderId);
      if (!order) return;
      order.status = event.payload.status;
      order.timeMs = event.timeMs;
      order.partner = event.payload.deliveryPartner ?? order.partner;
      return;
    }
    case 'product.price_updated':
      productOf(book, event.keys.storeId, event.keys.productId).price = event.payload.price;
      return;
    case 'product.stock_updated':
      productOf(book, event.keys.storeId, event.keys.productId).stock = event.payload.stock;
      return;
    case 'store.status_changed':
      if (event.payload.open) book.closedStores.delete(event.keys.storeId);
      else book.closedStores.add(event.keys.storeId);
      return;
    default:
  }
};

/** Orders of which nothing was heard for so long. */
export const forgetOrders = (book: OrderBook, beforeMs: number): void => {
  for (const [orderId, { timeMs }] of book.orders) if (timeMs < beforeMs) book.orders.delete(orderId);
};

// One cart per user, the same on all devices; what it reserves, and until when. The newest sync holds all of it. Pure.
import type { DecisionContext, NewEvent, PastEvent } from '../../service/definition.ts';

export interface CartItem {
  readonly id: string;
  readonly productId: string;
  readonly quantity: number;
  readonly price: number;
  /** ISO 8601; absent: no longer reserved. */
  readonly reservedUntil?: string;
}

export interface Cart {
  readonly userId: string;
  readonly items: readonly CartItem[];
  readonly warnings: readonly Warning[];
}

export interface Warning {
  readonly itemId: string;
  readonly productId: string;
  readonly available: number;
}

interface Product {
  price: number | undefined;
  stock: number | undefined;
}

export interface Carts {
  readonly byUser: Map<string, Cart>;
  readonly products: Map<string, Product>;
  /** Users by product in their cart. */
  readonly holders: Map<string, Set<string>>;
}

export const noCarts = (): Carts => ({ byUser: new Map(), products: new Map(), holders: new Map() });

export const cartIdOf = (userId: string): string => `cart-${userId}`;

/** One line per product, whichever device adds it: two that add the same offline mean the same line. */
export const itemIdOf = (productId: string): string => `i-${productId}`;

export const cartOf = (state: Carts, userId: string): Cart =>
  state.byUser.get(userId) ?? { userId, items: [], warnings: [] };

export const foldCarts = (state: Carts, event: PastEvent): void => {
  switch (event.type) {
    case 'cart.sync': {
      const { userId, cartId } = event.keys;
      if (cartId !== cartIdOf(userId)) return;
      const { items, warnings = [] } = event.payload;
      for (const { productId } of cartOf(state, userId).items) state.holders.get(productId)?.delete(userId);
      for (const { productId } of items) {
        const holders = state.holders.get(productId) ?? new Set();
        state.holders.set(productId, holders.add(userId));
      }
      if (items.length === 0) state.byUser.delete(userId);
      else state.byUser.set(userId, { userId, items, warnings });
      return;
    }
    case 'product.price_updated':
      productOf(state, event.keys.productId).price = event.payload.price;
      return;
    case 'product.stock_updated':
      productOf(state, event.keys.productId).stock = event.payload.stock;
      return;
    default:
  }
};

const productOf = (state: Carts, productId: string): Product => {
  const known = state.products.get(productId);
  if (known) return known;
  const product: Product = { price: undefined, stock: undefined };
  state.products.set(productId, product);
  return product;
};

const sumOf = (items: readonly CartItem[], value: (item: CartItem) => number): number =>
  items.reduce((sum, item) => sum + value(item), 0);

/** Items of which the store has fewer. */
export const warningsFor = (state: Carts, items: readonly CartItem[]): Warning[] =>
  items.flatMap(({ id, productId, quantity }) => {
    const stock = state.products.get(productId)?.stock;
    return stock === undefined || stock >= quantity ? [] : [{ itemId: id, productId, available: stock }];
  });

/** The whole cart as it is now, with warnings about what the store has not enough of. */
export const syncEvent = (
  state: Carts,
  userId: string,
  items: readonly CartItem[],
  { timestamp }: DecisionContext,
): NewEvent => {
  const warnings = warningsFor(state, items);
  return {
    type: 'cart.sync',
    keys: { userId, cartId: cartIdOf(userId) },
    payload: {
      userId,
      cartId: cartIdOf(userId),
      items: items.map((item) => ({ ...item })),
      totalItems: sumOf(items, ({ quantity }) => quantity),
      totalPrice: Math.round(sumOf(items, ({ quantity, price }) => quantity * price) * 100) / 100,
      ...(warnings.length > 0 && { warnings }),
      timestamp,
    },
  };
};

export const reservedEvent = (
  userId: string,
  { id: itemId, productId }: CartItem,
  reservedUntil: string,
  { timestamp }: DecisionContext,
): NewEvent => {
  const cartId = cartIdOf(userId);
  const payload = { cartId, itemId, productId, reservedUntil, timestamp };
  return { type: 'cart.item_reserved', keys: { userId, cartId }, payload };
};

export const releasedEvent = (
  userId: string,
  { id: itemId, productId }: CartItem,
  reason: 'timeout' | 'purchased' | 'removed',
  { timestamp }: DecisionContext,
): NewEvent => {
  const cartId = cartIdOf(userId);
  return {
    type: 'cart.item_released',
    keys: { userId, cartId },
    payload: { cartId, itemId, productId, reason, timestamp },
  };
};

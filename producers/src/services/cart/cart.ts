// What a user's devices do to their cart, and what prices, stocks, orders and time do to it. Pure.
import type {
  Consequence,
  DecisionContext,
  PastEvent,
  ServiceCommand,
  ServiceCommandOf,
  Verdict,
} from '../../service/definition.ts';
import { applied, rejected } from '../../service/definition.ts';
import { linesOf } from '../orders/order-book.ts';
import {
  type Cart,
  cartIdOf,
  type CartItem,
  cartOf,
  type Carts,
  itemIdOf,
  releasedEvent,
  reservedEvent,
  syncEvent,
  warningsFor,
} from './carts.ts';

const RESERVED_MS = 15 * 60_000;
const MAX_ITEMS = 200;
const MAX_QUANTITY = 1_000;

export const decideCart = (state: Carts, command: ServiceCommand, context: DecisionContext): Verdict => {
  const { sub } = command.actor;
  const { cartId = cartIdOf(sub) } = command.data as { readonly cartId?: string };
  if (cartId !== cartIdOf(sub)) return rejected('unknown_cart', 'There is no such cart.');
  const cart = cartOf(state, sub);
  switch (command.name) {
    case 'cart.add_item':
      return addItem(state, cart, command, context);
    case 'cart.update_item':
      return updateItem(state, cart, command, context);
    case 'cart.remove_item': {
      const item = cart.items.find(({ id }) => id === command.data.itemId);
      // Another device was faster: what this one wanted is so.
      if (!item) return applied([]);
      const items = cart.items.filter((other) => other !== item);
      return applied([syncEvent(state, sub, items, context), releasedEvent(sub, item, 'removed', context)]);
    }
    case 'cart.clear': {
      if (cart.items.length === 0) return applied([]);
      const released = cart.items.map((item) => releasedEvent(sub, item, 'removed', context));
      return applied([syncEvent(state, sub, [], context), ...released]);
    }
    default:
      return rejected('unknown_command', 'Not a command of the cart.');
  }
};

const addItem = (
  state: Carts,
  cart: Cart,
  { data: { productId, quantity = 1 } }: ServiceCommandOf<'cart.add_item'>,
  context: DecisionContext,
): Verdict => {
  const price = state.products.get(productId)?.price;
  if (price === undefined) return rejected('unknown_product', 'There is no such product.', { productId });
  const held = cart.items.find((item) => item.productId === productId);
  if (!held && cart.items.length >= MAX_ITEMS) return rejected('cart_full', 'The cart is full.', stateOf(cart));
  const wanted = (held?.quantity ?? 0) + quantity;
  return setQuantity(state, cart, { id: itemIdOf(productId), productId, quantity: wanted, price }, context);
};

const updateItem = (
  state: Carts,
  cart: Cart,
  { data: { itemId, quantity } }: ServiceCommandOf<'cart.update_item'>,
  context: DecisionContext,
): Verdict => {
  const item = cart.items.find(({ id }) => id === itemId);
  if (!item) return rejected('unknown_item', 'That is no longer in the cart.', stateOf(cart));
  if (item.quantity === quantity && item.reservedUntil !== undefined) return applied([]);
  return setQuantity(state, cart, { ...item, quantity }, context);
};

const setQuantity = (state: Carts, cart: Cart, wanted: CartItem, context: DecisionContext): Verdict => {
  const { userId, items } = cart;
  const available = availableTo(state, userId, wanted.productId, context.nowMs);
  if (wanted.quantity > Math.min(available, MAX_QUANTITY)) {
    const reason = available === 0 ? 'Sold out.' : `Only ${Math.min(available, MAX_QUANTITY)} available.`;
    return rejected('out_of_stock', reason, { ...stateOf(cart), productId: wanted.productId, available });
  }
  const reservedUntil = new Date(context.nowMs + RESERVED_MS).toISOString();
  const item = { ...wanted, reservedUntil };
  const isNew = !items.some(({ id }) => id === item.id);
  const newItems = isNew ? [...items, item] : items.map((other) => (other.id === item.id ? item : other));
  const result = { cartId: cartIdOf(userId), itemId: item.id, quantity: item.quantity, reservedUntil };
  const events = [syncEvent(state, userId, newItems, context), reservedEvent(userId, item, reservedUntil, context)];
  return applied(events, { result });
};

/** Stock less what other carts have reserved. Advice: the order itself counts exactly. */
const availableTo = (state: Carts, userId: string, productId: string, nowMs: number): number => {
  const stock = state.products.get(productId)?.stock;
  if (stock === undefined) return Number.MAX_SAFE_INTEGER;
  let left = stock;
  for (const holder of state.holders.get(productId) ?? []) {
    if (holder === userId) continue;
    for (const item of cartOf(state, holder).items) {
      if (item.productId === productId && isReserved(item, nowMs)) left -= item.quantity;
    }
  }
  return Math.max(0, left);
};

const isReserved = ({ reservedUntil }: CartItem, nowMs: number): boolean =>
  reservedUntil !== undefined && Date.parse(reservedUntil) > nowMs;

const stateOf = ({ userId, items }: Cart): Record<string, unknown> => ({
  cartId: cartIdOf(userId),
  items: items.map((item) => ({ ...item })),
});

export const reactInCarts = (state: Carts, event: PastEvent, context: DecisionContext): readonly Consequence[] => {
  switch (event.type) {
    case 'product.price_updated':
    case 'product.stock_updated':
      return Array.from(state.holders.get(event.keys.productId) ?? [])
        .map((userId) => cartOf(state, userId))
        .flatMap((cart) => refresh(state, cart, context));
    case 'order.created':
      return bought(state, event.keys.userId, linesOf(event.payload), context);
    default:
      return [];
  }
};

/** The cart with the prices and warnings of now, unless it has them. */
const refresh = (state: Carts, cart: Cart, context: DecisionContext): readonly Consequence[] => {
  const items = cart.items.map((item) => ({ ...item, price: state.products.get(item.productId)?.price ?? item.price }));
  const hasNewPrice = items.some(({ price }, at) => price !== cart.items[at]?.price);
  const hasNewWarning = JSON.stringify(warningsFor(state, items)) !== JSON.stringify(cart.warnings);
  if (!hasNewPrice && !hasNewWarning) return [];
  return [{ key: cart.userId, events: [syncEvent(state, cart.userId, items, context)] }];
};

const bought = (
  state: Carts,
  userId: string,
  lines: readonly { readonly productId: string; readonly quantity: number }[],
  context: DecisionContext,
): readonly Consequence[] => {
  const cart = cartOf(state, userId);
  const released: CartItem[] = [];
  const items = cart.items.flatMap((item) => {
    const line = lines.find(({ productId }) => productId === item.productId);
    if (!line) return [item];
    if (item.quantity > line.quantity) return [{ ...item, quantity: item.quantity - line.quantity }];
    released.push(item);
    return [];
  });
  if (items.every((item, at) => item === cart.items[at]) && released.length === 0) return [];
  const events = released.map((item) => releasedEvent(userId, item, 'purchased', context));
  return [{ events: [syncEvent(state, userId, items, context), ...events] }];
};

/** Reservations that are over. The items stay in the cart; others may buy them now. */
export const dueInCarts = (state: Carts, context: DecisionContext): readonly Consequence[] => {
  const due: Consequence[] = [];
  for (const { userId, items } of state.byUser.values()) {
    // One at a time, so that each has one identity: the next is due with the next tick.
    const over = items.find((item) => item.reservedUntil !== undefined && !isReserved(item, context.nowMs));
    if (!over) continue;
    const { reservedUntil, ...kept } = over;
    const left = items.map((item) => (item === over ? kept : item));
    const events = [syncEvent(state, userId, left, context), releasedEvent(userId, over, 'timeout', context)];
    due.push({ key: `released ${userId} ${over.id} ${reservedUntil}`, events });
  }
  return due;
};

// What may happen to an order, and who may make it happen. Pure.
import type {
  Consequence,
  DecisionContext,
  NewEvent,
  PastEvent,
  ServiceCommand,
  ServiceCommandOf,
  Verdict,
} from '../../service/definition.ts';
import { applied, rejected } from '../../service/definition.ts';
import { nameOfActor } from '../actor-name.ts';
import { isAdmin, isDeliveryPartner, isMerchantOf } from '../actor-role.ts';
import { orderNumberOf } from '../order-number.ts';
import { isElsewhere } from '../payments/payments.ts';
import { cleanText } from '../text.ts';
import { type Line, type Order, type OrderBook, type Partner, productKey } from './order-book.ts';
import { isForPartners, isLegal, mayCustomerCancel } from './transitions.ts';

export const decideOrders = (book: OrderBook, command: ServiceCommand, context: DecisionContext): Verdict => {
  switch (command.name) {
    case 'order.place':
      return place(book, command, context);
    case 'order.cancel':
      return cancel(book, command, context);
    case 'order.update_status':
      return updateStatus(book, command, context);
    default:
      return rejected('unknown_command', 'Not a command of orders.');
  }
};

const place = (book: OrderBook, command: ServiceCommandOf<'order.place'>, context: DecisionContext): Verdict => {
  const { merchantId, items, type = 'delivery', note, destination } = command.data;
  if (book.closedStores.has(merchantId)) return rejected('store_closed', 'The store is closed.', { merchantId });
  const lines: Line[] = [];
  const taken: NewEvent[] = [];
  for (const [productId, quantity] of quantitiesOf(items)) {
    const { price, stock } = book.products.get(productKey(merchantId, productId)) ?? {};
    if (price === undefined) return rejected('unknown_product', 'The store does not sell that.', { productId });
    if (stock !== undefined && stock < quantity) {
      return rejected('out_of_stock', `Only ${stock} left.`, { productId, available: stock });
    }
    lines.push({ productId, quantity, price });
    if (stock !== undefined) taken.push(stockEvent(merchantId, productId, stock, stock - quantity, context));
  }
  const orderId = context.id('o');
  const total = lines.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
  const created: NewEvent = {
    type: 'order.created',
    keys: { merchantId, userId: command.actor.sub, orderId },
    payload: {
      orderId,
      orderNumber: orderNumberOf(orderId),
      merchantId,
      userId: command.actor.sub,
      customer: { name: nameOfActor(command.actor), phone: '' },
      items: lines.reduce((sum, { quantity }) => sum + quantity, 0),
      total: Math.round(total * 100) / 100,
      type: clean(type, 64) ?? 'delivery',
      createdAt: context.timestamp,
      ...{ lines, ...(note !== undefined && { note: clean(note) ?? '' }), ...(destination && { destination }) },
    },
  };
  // The stock decides, where somebody counts it: the whole store is one guard.
  return applied([...taken, created], { result: { orderId, orderNumber: created.payload.orderNumber } });
};

/** A product that is listed twice is bought once, in the sum. */
const quantitiesOf = (items: readonly { readonly productId: string; readonly quantity: number }[]) => {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of items) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
  return quantities;
};

const stockEvent = (
  storeId: string,
  productId: string,
  previous: number,
  stock: number,
  { timestamp }: DecisionContext,
): NewEvent => ({
  type: 'product.stock_updated',
  keys: { storeId, productId },
  payload: { productId, storeId, stock, previous, timestamp },
});

const cancel = (book: OrderBook, command: ServiceCommandOf<'order.cancel'>, context: DecisionContext): Verdict => {
  const { actor, data } = command;
  const order = book.orders.get(data.orderId);
  const isOwn = order?.userId === actor.sub;
  const isStaff = order !== undefined && (isMerchantOf(actor, order.merchantId) || isAdmin(actor));
  if (!order || (!isOwn && !isStaff)) return unknownOrder();
  if (order.status === 'cancelled') return applied([]);
  const isTooLate = !isLegal(order.status, 'cancelled') || (!isStaff && !mayCustomerCancel(order.status));
  if (isTooLate) return rejected('too_late', 'The order can no longer be cancelled.', stateOf(order));
  return applied([statusEvent(order, 'cancelled', context, { message: clean(data.reason) })]);
};

const updateStatus = (
  book: OrderBook,
  { actor, data }: ServiceCommandOf<'order.update_status'>,
  context: DecisionContext,
): Verdict => {
  const order = book.orders.get(data.orderId);
  if (!order) return unknownOrder();
  const isStaff = isMerchantOf(actor, order.merchantId) || isAdmin(actor);
  // An order that is ready and nobody's is the first partner's who takes it.
  const takes = order.partner === undefined && data.status === 'out_for_delivery';
  const isPartner = isDeliveryPartner(actor) && (takes || order.partner?.id === actor.sub);
  if (!isStaff && !isPartner) return unknownOrder();
  if (!isStaff && !isForPartners(data.status))
    return rejected('forbidden', 'Not for delivery partners.', stateOf(order));
  if (!isLegal(order.status, data.status)) {
    return rejected('illegal_transition', `An order that is ${order.status} cannot become that.`, stateOf(order));
  }
  const partner = isPartner && takes ? partnerOf(actor.sub, nameOfActor(actor)) : order.partner;
  return applied([statusEvent(order, data.status, context, { message: clean(data.message), partner })], {
    result: { orderId: order.orderId, status: data.status },
  });
};

const MAX_TEXT = 1_000;

const clean = (text: string | undefined, maxLength: number = MAX_TEXT): string | undefined => {
  const cleaned = cleanText(text, maxLength);
  return cleaned.ok ? cleaned.text : undefined;
};

const partnerOf = (id: string, name: string): Partner => ({ id, name, phone: '' });

/** The same for an order that is not there and one that is not theirs. */
const unknownOrder = (): Verdict => rejected('unknown_order', 'There is no such order.');

const stateOf = ({ orderId, status }: Order): unknown => ({ orderId, status });

const statusEvent = (
  { orderId, orderNumber, merchantId, userId, status: previousStatus }: Order,
  status: string,
  { timestamp }: DecisionContext,
  { message, partner }: { readonly message?: string | undefined; readonly partner?: Partner | undefined },
): NewEvent => ({
  type: 'order.status_changed',
  keys: { merchantId, userId, orderId },
  payload: {
    ...{ orderId, orderNumber, status, previousStatus, timestamp },
    ...(message !== undefined && { message }),
    ...(partner && { deliveryPartner: partner }),
  },
});

/** What was taken from the shelves goes back; an order that cannot be paid is cancelled. */
export const reactToOrders = (book: OrderBook, event: PastEvent, context: DecisionContext): readonly Consequence[] => {
  if (event.type === 'payment.failed') {
    const order = book.orders.get(event.keys.orderId);
    if (!order || isElsewhere(event.payload) || !isLegal(order.status, 'cancelled')) return [];
    return [{ events: [statusEvent(order, 'cancelled', context, { message: 'The payment failed.' })] }];
  }
  if (event.type !== 'order.status_changed' || event.payload.status !== 'cancelled') return [];
  const order = book.orders.get(event.keys.orderId);
  const returned = (order?.lines ?? []).flatMap(({ productId, quantity }) => {
    const stock = book.products.get(productKey(event.keys.merchantId, productId))?.stock;
    if (stock === undefined) return [];
    return [stockEvent(event.keys.merchantId, productId, stock, stock + quantity, context)];
  });
  return returned.length > 0 ? [{ events: returned }] : [];
};

// What the channels of the reference catalogue carry, written out by hand from docs and not from the catalogue: which
// stored events each kind of principal must get, and no others.
import { ORDER_STREAM, PAYMENT_STREAM } from './order-events.ts';

export interface StreamFilters {
  stream: string;
  subjects: string[];
}

/** `order:{orderId}` of its customer. */
export const customerOrderFilters = (userId: string, orderId: string): StreamFilters[] => [
  { stream: ORDER_STREAM, subjects: [`order.*.${userId}.${orderId}.*`, `delivery.*.${userId}.${orderId}.*`] },
  { stream: PAYMENT_STREAM, subjects: [`payment.*.${userId}.${orderId}.*`] },
];

/** `order:{orderId}` of its merchant: no payments. */
export const merchantOrderFilters = (merchantId: string, orderId: string): StreamFilters[] => [
  { stream: ORDER_STREAM, subjects: [`order.${merchantId}.*.${orderId}.*`, `delivery.${merchantId}.*.${orderId}.*`] },
];

/** `order:{orderId}` of an admin. */
export const adminOrderFilters = (orderId: string): StreamFilters[] => [
  { stream: ORDER_STREAM, subjects: [`order.*.*.${orderId}.*`, `delivery.*.*.${orderId}.*`] },
  { stream: PAYMENT_STREAM, subjects: [`payment.*.*.${orderId}.*`] },
];

/** `user:{userId}`: no locations and ETAs. */
export const userFilters = (userId: string): StreamFilters[] => [
  {
    stream: ORDER_STREAM,
    subjects: [`order.*.${userId}.*.created`, `order.*.${userId}.*.status_changed`, `delivery.*.${userId}.*.*`],
  },
  { stream: PAYMENT_STREAM, subjects: [`payment.*.${userId}.*.*`] },
];

/** `merchant:{merchantId}`. */
export const merchantFilters = (merchantId: string): StreamFilters[] => [
  { stream: ORDER_STREAM, subjects: [`order.${merchantId}.*.*.created`, `order.${merchantId}.*.*.status_changed`] },
];

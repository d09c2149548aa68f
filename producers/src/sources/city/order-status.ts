// Which status may follow which. Pure; the orders service will refuse by the same table.
import type { ORDER_STATUSES } from '@sluice/schemas';

export type OrderStatus = (typeof ORDER_STATUSES)[number];

const FOLLOWERS: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  placed: ['confirmed', 'cancelled'],
  confirmed: ['processing', 'preparing', 'cancelled'],
  processing: ['preparing', 'cancelled'],
  preparing: ['ready', 'cancelled'],
  ready: ['out_for_delivery'],
  out_for_delivery: ['delivered'],
  delivered: [],
  cancelled: [],
};

/** An order begins as `placed`; `undefined` is an order that does not exist yet. */
export const isLegalTransition = (from: OrderStatus | undefined, to: OrderStatus): boolean =>
  from === undefined ? to === 'placed' : FOLLOWERS[from].includes(to);

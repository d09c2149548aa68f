// The statuses of an order that are known today.

/** The field is an open string: an unknown one passes the gateway. */
export const ORDER_STATUSES = [
  'placed',
  'confirmed',
  'processing',
  'preparing',
  'ready',
  'out_for_delivery',
  'delivered',
  'cancelled',
] as const;

/** After which nothing happens to an order any more. */
export const FINAL_STATUSES = ['delivered', 'cancelled'] as const;

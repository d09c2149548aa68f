// The status machine of an order. Pure data.
//
//   placed ─▶ confirmed ─▶ processing ─▶ preparing ─▶ ready ─▶ out_for_delivery ─▶ delivered
//     └──────────┴────────────┴─────────────┴──────────┴──▶ cancelled      (pickup: ready ─▶ delivered)

const NEXT: Readonly<Record<string, readonly string[]>> = {
  placed: ['confirmed', 'cancelled'],
  confirmed: ['processing', 'preparing', 'cancelled'],
  processing: ['preparing', 'ready', 'cancelled'],
  preparing: ['ready', 'cancelled'],
  ready: ['out_for_delivery', 'delivered', 'cancelled'],
  out_for_delivery: ['delivered'],
  delivered: [],
  cancelled: [],
};

/** Until somebody cooks. */
const CANCELLABLE_BY_CUSTOMER: ReadonlySet<string> = new Set(['placed', 'confirmed', 'processing']);
const BY_PARTNER: ReadonlySet<string> = new Set(['out_for_delivery', 'delivered']);

export const isLegal = (from: string, to: string): boolean => (NEXT[from] ?? []).includes(to);

export const mayCustomerCancel = (status: string): boolean => CANCELLABLE_BY_CUSTOMER.has(status);

export const isForPartners = (status: string): boolean => BY_PARTNER.has(status);

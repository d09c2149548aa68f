// An order's money: asked for when it is placed, given back when it is cancelled. Pure; the provider is a rule.
import type { Consequence, DecisionContext, NewEvent, PastEvent, PastEventOf } from '../../service/definition.ts';

interface Payment {
  readonly paymentId: string;
  readonly amount: number;
  status: string;
  readonly timeMs: number;
}

export interface Payments {
  readonly byOrder: Map<string, Payment>;
  /** When, by order. */
  readonly cancelled: Map<string, number>;
}

export const noPayments = (): Payments => ({ byOrder: new Map(), cancelled: new Map() });

const CURRENCY = 'EUR';
/** What this provider takes at once. */
const MAX_AMOUNT = 5_000;

type PaymentEvent = PastEventOf<
  'payment.processing' | 'payment.confirmed' | 'payment.failed' | 'payment.refund_updated'
>;

/** Somebody else takes the money, and tells of it: not ours to touch. */
export const isElsewhere = (payload: object): boolean => 'provider' in payload;

export const foldPayments = (state: Payments, event: PastEvent): void => {
  switch (event.type) {
    case 'payment.processing':
    case 'payment.confirmed':
    case 'payment.failed':
    case 'payment.refund_updated': {
      if (isElsewhere(event.payload)) return;
      const { paymentId, amount } = event.payload;
      state.byOrder.set(event.keys.orderId, { paymentId, amount, status: event.type, timeMs: event.timeMs });
      return;
    }
    case 'order.status_changed':
      if (event.payload.status === 'cancelled') state.cancelled.set(event.keys.orderId, event.timeMs);
      return;
    default:
  }
};

/** What nobody will ask for again. */
export const forgetPayments = ({ byOrder, cancelled }: Payments, beforeMs: number): void => {
  for (const [orderId, { timeMs }] of byOrder) if (timeMs < beforeMs) byOrder.delete(orderId);
  for (const [orderId, timeMs] of cancelled) if (timeMs < beforeMs) cancelled.delete(orderId);
};

export const reactToPayments = (
  state: Payments,
  event: PastEvent,
  context: DecisionContext,
): readonly Consequence[] => {
  const payment = 'orderId' in event.keys ? state.byOrder.get(event.keys.orderId) : undefined;
  switch (event.type) {
    case 'order.created':
      return payment || isElsewhere(event.payload) ? [] : [ask(event, context)];
    case 'payment.processing':
      return payment?.status === 'payment.processing' ? [answer(event, context)] : [];
    // Whichever comes last of the payment and the cancellation: both lead here, and the refund is guarded.
    case 'payment.confirmed':
      return payment?.status === 'payment.confirmed' && state.cancelled.has(event.keys.orderId)
        ? [refund(event.keys, payment, context)]
        : [];
    case 'order.status_changed':
      return payment?.status === 'payment.confirmed' && event.payload.status === 'cancelled'
        ? [refund(event.keys, payment, context)]
        : [];
    default:
      return [];
  }
};

const ask = ({ keys, payload }: PastEventOf<'order.created'>, context: DecisionContext): Consequence => ({
  events: [
    {
      type: 'payment.processing',
      keys,
      payload: {
        ...{ paymentId: context.id('pay'), orderId: keys.orderId, amount: payload.total, currency: CURRENCY },
        ...{ method: 'card', timestamp: context.timestamp },
      },
    },
  ],
});

const answer = ({ keys, payload }: PaymentEvent, { timestamp }: DecisionContext): Consequence => {
  const isTaken = payload.amount <= MAX_AMOUNT;
  const { paymentId, orderId, amount, currency, method } = payload;
  const event: NewEvent = {
    type: isTaken ? 'payment.confirmed' : 'payment.failed',
    keys,
    payload: {
      ...{ paymentId, orderId, amount, currency, timestamp },
      ...(method !== undefined && { method }),
      ...(!isTaken && { reason: 'The amount is above the limit of the card.' }),
    },
  };
  return { events: [event] };
};

const refund = (
  keys: PaymentEvent['keys'],
  { paymentId, amount }: Payment,
  { timestamp }: DecisionContext,
): Consequence => ({
  events: [
    {
      type: 'payment.refund_updated',
      keys,
      payload: {
        ...{ paymentId, orderId: keys.orderId, amount, currency: CURRENCY, timestamp },
        ...{ refundStatus: 'completed', reason: 'The order was cancelled.' },
      },
    },
  ],
});

// Coins come with delivered orders, go with redemptions and with time, and are never fewer than none. Pure.
import {
  applied,
  type Consequence,
  type DecisionContext,
  type NewEvent,
  type PastEvent,
  rejected,
  type ServiceCommand,
  type Verdict,
} from '../../service/definition.ts';
import { balanceOf, balancesOf, type CoinType, credit, debit, type Lot, lotsOf, type Purse } from './purse.ts';

export interface Wallets {
  readonly purses: Map<string, Purse>;
  /** Totals of orders that are on their way. */
  readonly totals: Map<string, { readonly total: number; readonly timeMs: number }>;
}

export const noWallets = (): Wallets => ({ purses: new Map(), totals: new Map() });

const DAY_MS = 86_400_000;
/** Of an order's total. */
const COINS_PER_UNIT = 0.05;
const COINS_LAST_MS = 30 * DAY_MS;
const NOTICE_MS = 7 * DAY_MS;
/** Streams forget after a week: what somebody has is said again before. */
const RENEW_AFTER_MS = 5 * DAY_MS;

export const foldWallets = (state: Wallets, event: PastEvent): void => {
  switch (event.type) {
    case 'wallet.balance_updated': {
      const { sequence, timeMs, payload } = event;
      state.purses.set(event.keys.userId, { lots: lotsOf(payload), sequence, timeMs });
      return;
    }
    case 'order.created':
      state.totals.set(event.keys.orderId, { total: event.payload.total, timeMs: event.timeMs });
      return;
    default:
  }
};

export const forgetTotals = ({ totals }: Wallets, beforeMs: number): void => {
  for (const [orderId, { timeMs }] of totals) if (timeMs < beforeMs) totals.delete(orderId);
};

const purseOf = (state: Wallets, userId: string): readonly Lot[] => state.purses.get(userId)?.lots ?? [];

interface Change {
  readonly amount: number;
  readonly coinType: CoinType;
  readonly operation: 'credit' | 'debit';
  readonly reason: string;
  readonly orderId?: string;
}

const balanceEvent = (
  userId: string,
  lots: readonly Lot[],
  { amount, coinType, operation, reason, orderId }: Change,
  { timestamp }: DecisionContext,
): NewEvent => ({
  type: 'wallet.balance_updated',
  keys: { userId },
  payload: {
    balances: balancesOf(lots),
    change: { amount, type: coinType, operation, reason, ...(orderId !== undefined && { orderId }) },
    timestamp,
    ...{ lots: lots.map((lot) => ({ ...lot })) },
  },
});

export const decideWallets = (state: Wallets, command: ServiceCommand, context: DecisionContext): Verdict => {
  if (command.name !== 'wallet.redeem') return rejected('unknown_command', 'Not a command of the wallet.');
  const { amount, coinType = 'rezCoins', orderId } = command.data;
  const userId = command.actor.sub;
  const held = purseOf(state, userId).filter((lot) => !isOver(lot, context.nowMs));
  const lots = debit(held, coinType, amount);
  if (!lots) {
    const available = balanceOf(held, coinType);
    return rejected('insufficient_balance', `Only ${available} there.`, { coinType, available });
  }
  const change: Change = { amount, coinType, operation: 'debit', reason: 'redeemed', ...(orderId && { orderId }) };
  return applied([balanceEvent(userId, lots, change, context)], { result: { balances: balancesOf(lots) } });
};

const isOver = ({ expiresAt }: Lot, nowMs: number): boolean =>
  expiresAt !== undefined && Date.parse(expiresAt) <= nowMs;

/** Coins for what was delivered. */
export const reactToDeliveries = (
  state: Wallets,
  event: PastEvent,
  context: DecisionContext,
): readonly Consequence[] => {
  if (event.type !== 'order.status_changed' || event.payload.status !== 'delivered') return [];
  const { userId, orderId } = event.keys;
  const amount = Math.floor((state.totals.get(orderId)?.total ?? 0) * COINS_PER_UNIT);
  if (amount <= 0) return [];
  // All of a day expire together: a purse has few lots.
  const endMs = (Math.floor(context.nowMs / DAY_MS) + 1) * DAY_MS + COINS_LAST_MS;
  const lots = credit(purseOf(state, userId), {
    coinType: 'rezCoins',
    amount,
    expiresAt: new Date(endMs).toISOString(),
  });
  const change: Change = { amount, coinType: 'rezCoins', operation: 'credit', reason: 'order delivered', orderId };
  return [{ events: [balanceEvent(userId, lots, change, context)] }];
};

/** Notices, once a day per user and coin type; what has expired; what streams would forget. */
export const dueInWallets = (state: Wallets, context: DecisionContext): readonly Consequence[] => {
  const due: Consequence[] = [];
  for (const [userId, purse] of state.purses) {
    const over = purse.lots.find((lot) => isOver(lot, context.nowMs));
    if (over) {
      // One at a time: the next is due with the next tick.
      const lots = purse.lots.filter((lot) => lot !== over);
      const change: Change = { ...over, operation: 'debit', reason: 'expired' };
      const key = `expired ${userId} ${over.coinType} ${over.expiresAt}`;
      due.push({ key, events: [balanceEvent(userId, lots, change, context)] });
    } else if (purse.lots.length > 0 && purse.timeMs < context.nowMs - RENEW_AFTER_MS) {
      const [{ coinType }] = purse.lots as [Lot];
      const change: Change = { amount: 0, coinType, operation: 'credit', reason: 'unchanged' };
      due.push({
        key: `renewed ${userId} ${purse.sequence}`,
        events: [balanceEvent(userId, purse.lots, change, context)],
      });
    }
    due.push(...noticesFor(userId, purse.lots, context));
  }
  return due;
};

const noticesFor = (userId: string, lots: readonly Lot[], context: DecisionContext): readonly Consequence[] => {
  const day = context.timestamp.slice(0, 10);
  const notices = new Map<CoinType, Consequence>();
  for (const { coinType, amount, expiresAt } of lots) {
    if (expiresAt === undefined || notices.has(coinType)) continue;
    const leftMs = Date.parse(expiresAt) - context.nowMs;
    if (leftMs <= 0 || leftMs > NOTICE_MS) continue;
    const payload = {
      ...{ amount, coinType, expiresAt },
      daysRemaining: Math.ceil(leftMs / DAY_MS),
      timestamp: context.timestamp,
    };
    const events: NewEvent[] = [{ type: 'wallet.coins_expiring', keys: { userId }, payload }];
    notices.set(coinType, { key: `expiring ${userId} ${coinType} ${day}`, events });
  }
  return [...notices.values()];
};

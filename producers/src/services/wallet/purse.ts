// What one user has: three kinds of coins in lots that expire. The newest balance event holds all of it. Pure.

export const COIN_TYPES = ['rezCoins', 'brandedCoins', 'promoCoins'] as const;
export type CoinType = (typeof COIN_TYPES)[number];

export interface Lot {
  readonly coinType: CoinType;
  readonly amount: number;
  /** ISO 8601; absent: never. */
  readonly expiresAt?: string;
}

export interface Purse {
  readonly lots: readonly Lot[];
  readonly sequence: number;
  readonly timeMs: number;
}

export interface Balances {
  readonly rezCoins: number;
  readonly brandedCoins: number;
  readonly promoCoins: number;
  readonly total: number;
}

export const balanceOf = (lots: readonly Lot[], coinType: CoinType): number =>
  lots.reduce((sum, lot) => (lot.coinType === coinType ? sum + lot.amount : sum), 0);

export const balancesOf = (lots: readonly Lot[]): Balances => {
  const [rezCoins, brandedCoins, promoCoins] = [
    balanceOf(lots, 'rezCoins'),
    balanceOf(lots, 'brandedCoins'),
    balanceOf(lots, 'promoCoins'),
  ];
  return { rezCoins, brandedCoins, promoCoins, total: rezCoins + brandedCoins + promoCoins };
};

const NEVER = '9999';

/** What goes first: the lots that expire first. */
const byExpiry = (one: Lot, other: Lot): number => ((one.expiresAt ?? NEVER) < (other.expiresAt ?? NEVER) ? -1 : 1);

/** Lots of one kind that expire together are one. */
export const credit = (lots: readonly Lot[], added: Lot): readonly Lot[] => {
  const isSame = (lot: Lot): boolean => lot.coinType === added.coinType && lot.expiresAt === added.expiresAt;
  const amount = lots.filter(isSame).reduce((sum, lot) => sum + lot.amount, added.amount);
  return [...lots.filter((lot) => !isSame(lot)), { ...added, amount }].sort(byExpiry);
};

/** Undefined if there is not that much. */
export const debit = (lots: readonly Lot[], coinType: CoinType, amount: number): readonly Lot[] | undefined => {
  let owed = amount;
  const left = lots.toSorted(byExpiry).flatMap((lot) => {
    if (lot.coinType !== coinType || owed === 0) return [lot];
    const taken = Math.min(owed, lot.amount);
    owed -= taken;
    return taken === lot.amount ? [] : [{ ...lot, amount: lot.amount - taken }];
  });
  return owed > 0 ? undefined : left;
};

/** The lots of a balance event: the service's own addition, or what the plain balances say. */
export const lotsOf = (payload: {
  readonly balances: Readonly<Record<CoinType, number>>;
  readonly lots?: unknown;
}): readonly Lot[] => {
  const { balances } = payload;
  const lots = Array.isArray(payload.lots) ? (payload.lots as unknown[]).filter(isLot) : [];
  const isWhole = COIN_TYPES.every((coinType) => balanceOf(lots, coinType) === balances[coinType]);
  if (isWhole) return lots;
  return COIN_TYPES.map((coinType) => ({ coinType, amount: balances[coinType] })).filter(({ amount }) => amount > 0);
};

const isLot = (value: unknown): value is Lot => {
  if (typeof value !== 'object' || value === null) return false;
  const { coinType, amount, expiresAt } = value as Partial<Lot>;
  return (
    COIN_TYPES.includes(coinType as CoinType) &&
    typeof amount === 'number' &&
    amount > 0 &&
    (expiresAt === undefined || (typeof expiresAt === 'string' && !Number.isNaN(Date.parse(expiresAt))))
  );
};

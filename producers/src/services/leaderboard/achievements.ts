// What can be achieved, and the tiers. Data.

export interface Achievement {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly points: number;
  /** Reached with so many coins earned in all. */
  readonly coins: number;
}

export const ACHIEVEMENTS: readonly Achievement[] = [
  { id: 'first-coins', name: 'First coins', description: 'Earned coins for the first time', points: 10, coins: 1 },
  { id: 'coins-100', name: 'Pocket money', description: 'Earned 100 coins', points: 20, coins: 100 },
  { id: 'coins-500', name: 'Regular', description: 'Earned 500 coins', points: 50, coins: 500 },
  { id: 'coins-2000', name: 'Collector', description: 'Earned 2,000 coins', points: 100, coins: 2_000 },
  { id: 'coins-10000', name: 'Treasurer', description: 'Earned 10,000 coins', points: 300, coins: 10_000 },
];

const TIERS = [
  { tier: 'platinum', coins: 10_000 },
  { tier: 'gold', coins: 2_000 },
  { tier: 'silver', coins: 500 },
] as const;

export const tierOf = (coins: number): string => TIERS.find((each) => coins >= each.coins)?.tier ?? 'bronze';

// The map: a grid of streets, and ways along them. Pure geometry; knows no orders.
import { between, type Random } from '../../random.ts';

/** A corner of the grid. */
export interface Corner {
  readonly cross: number;
  readonly main: number;
}

export interface Spot {
  readonly latitude: number;
  readonly longitude: number;
  readonly address: string;
}

/** Corners to pass, each on the same street as the one before. */
export interface Route {
  readonly corners: readonly Corner[];
  readonly metres: number;
}

const GRID_SIZE = 16;
const BLOCK_METRES = 90;
const METRES_PER_DEGREE = 111_320;
const ORIGIN = { latitude: 12.9716, longitude: 77.5946 };
const METRES_PER_DEGREE_EAST = METRES_PER_DEGREE * Math.cos((ORIGIN.latitude * Math.PI) / 180);

/** First along one street, then another, then a third: like somebody who knows a short cut. */
export const planRoute = (from: Corner, to: Corner, random: Random): Route => {
  const turn = Math.round(between(random, from.main, to.main));
  const corners = [from, { cross: from.cross, main: turn }, { cross: to.cross, main: turn }, to];
  let metres = 0;
  for (let i = 1; i < corners.length; i++) metres += distanceOf(corners[i - 1]!, corners[i]!);
  return { corners, metres };
};

/** Where somebody is who has gone that far; the end of the route beyond it. */
export const spotAlong = ({ corners }: Route, metres: number): Spot => {
  let left = Math.max(0, metres);
  for (let i = 1; i < corners.length; i++) {
    const [from, to] = [corners[i - 1]!, corners[i]!];
    const length = distanceOf(from, to);
    if (left < length) {
      const part = left / length;
      return toSpot(from.cross + (to.cross - from.cross) * part, from.main + (to.main - from.main) * part);
    }
    left -= length;
  }
  const end = corners.at(-1)!;
  return toSpot(end.cross, end.main);
};

/** The corner where somebody with this number lives: always the same, spread over the city. */
export const cornerOf = (number: number, salt: number): Corner => {
  const mixed = Math.imul(number + salt * 97, 0x9e3779b1) >>> 0;
  return { cross: mixed % GRID_SIZE, main: Math.floor(mixed / 65_536) % GRID_SIZE };
};

const distanceOf = (a: Corner, b: Corner): number =>
  (Math.abs(a.cross - b.cross) + Math.abs(a.main - b.main)) * BLOCK_METRES;

const toSpot = (cross: number, main: number): Spot => ({
  latitude: rounded(ORIGIN.latitude + (main * BLOCK_METRES) / METRES_PER_DEGREE),
  longitude: rounded(ORIGIN.longitude + (cross * BLOCK_METRES) / METRES_PER_DEGREE_EAST),
  address: `${ordinal(Math.round(cross) + 1)} Cross, ${ordinal(Math.round(main) + 1)} Main`,
});

/** Six decimals are a tenth of a metre. */
const rounded = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;

const ordinal = (number: number): string => {
  const suffix = number > 10 && number < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${suffix}`;
};

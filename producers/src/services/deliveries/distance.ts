// How far and how long, as a courier rides. Pure.
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

const EARTH_KM = 6_371;
const KM_PER_MINUTE = 0.35;
const AT_THE_DOOR_MINUTES = 1;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Along a great circle. */
export const kilometresBetween = (from: Place, to: Place): number => {
  const north = radians(to.latitude - from.latitude);
  const east = radians(to.longitude - from.longitude);
  const chord =
    Math.sin(north / 2) ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * Math.sin(east / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
};

/** Whole minutes. */
export const minutesFor = (km: number): number => Math.ceil(km / KM_PER_MINUTE) + AT_THE_DOOR_MINUTES;

/** A field of an open payload: anything may be there. */
export const toPlace = (value: unknown): Place | undefined => {
  if (typeof value !== 'object' || value === null) return undefined;
  const { latitude, longitude } = value as Partial<Place>;
  return Number.isFinite(latitude) && Number.isFinite(longitude) ? (value as Place) : undefined;
};

// How many requests, and how many bytes of them, may be under way at once (I5). Pure.

export interface InFlightLimit {
  readonly count: number;
  readonly bytes: number;
}

export class InFlight {
  readonly #limit: InFlightLimit;
  count = 0;
  bytes = 0;

  constructor(limit: InFlightLimit) {
    this.#limit = limit;
  }

  hasRoom(bytes: number): boolean {
    return this.count < this.#limit.count && this.bytes + bytes <= this.#limit.bytes;
  }

  add(bytes: number): void {
    this.count++;
    this.bytes += bytes;
  }

  remove(bytes: number): void {
    this.count--;
    this.bytes -= bytes;
  }
}

/** Adds to all of them, or to none. The returned function takes it back, once. */
export const enterAll = (flights: readonly InFlight[], bytes: number): (() => void) | undefined => {
  if (!flights.every((each) => each.hasRoom(bytes))) return undefined;
  for (const each of flights) each.add(bytes);
  let isIn = true;
  return () => {
    if (!isIn) return;
    isIn = false;
    for (const each of flights) each.remove(bytes);
  };
};

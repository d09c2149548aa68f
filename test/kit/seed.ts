// One seed for all randomness of a test run. Printed, so that a failing run can be repeated with SLUICE_TEST_SEED.

let printed = false;

/** The run's seed: SLUICE_TEST_SEED, else a new one. Printed to stderr once per process. */
export function testSeed(): number {
  const given = process.env['SLUICE_TEST_SEED'];
  const seed = given === undefined || given === '' ? (runSeed ??= (Math.random() * 0x7fffffff) | 0) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`SLUICE_TEST_SEED is not a whole number: ${given}`);
  if (!printed) {
    printed = true;
    process.stderr.write(`SLUICE_TEST_SEED=${seed}\n`);
  }
  return seed;
}

let runSeed: number | undefined;

export type Random = () => number;

/**
 * A seeded generator of numbers in [0, 1) (mulberry32). `label` separates independent uses of one seed, so that a
 * new use does not shift the others.
 */
export function seededRandom(label: string, seed: number = testSeed()): Random {
  let state = seed | 0;
  for (const char of label) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number in [low, high], both included. */
export function randomInt(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

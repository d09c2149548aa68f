// In which order a load goes round its targets: each gets one event a round, in an order that is not the one in which
// they were made. Neighbours in memory would make a ceiling that no real traffic could reach.

/** To multiply an index with, modulo `count`: coprime to it, so that every target has its turn. */
export const strideOf = (count: number): number =>
  [7_919, 104_729, 1].find((prime) => count % prime !== 0 || prime === 1)! % count || 1;

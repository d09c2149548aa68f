// Counters by name, as metrics show them.

/** Adds one under a name. */
export const count = <K extends string>(into: Partial<Record<K, number>>, name: K): void => {
  into[name] = (into[name] ?? 0) + 1;
};

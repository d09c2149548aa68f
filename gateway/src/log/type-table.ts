// From a subject to what the catalogue says of a few of its types: which are conflated, which expire. Pure, and cheap
// enough to be asked per event.
import type { Catalogue, EventType, Family } from '@sluice/schemas';

interface Entry<T> {
  /** `order.` */
  readonly start: string;
  /** `.location_updated` */
  readonly end: string;
  readonly value: T;
}

export class TypeTable<T> {
  readonly #entries: readonly Entry<T>[];

  /** Holds the types for which there is a value. */
  constructor({ families }: Pick<Catalogue, 'families'>, valueOf: (type: EventType, family: Family) => T | undefined) {
    const entries: Entry<T>[] = [];
    for (const family of families.values()) {
      for (const [token, type] of family.types) {
        const value = valueOf(type, family);
        if (value !== undefined) entries.push({ start: `${family.prefix}.`, end: `.${token}`, value });
      }
    }
    this.#entries = entries;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  find(subject: string): T | undefined {
    for (const { start, end, value } of this.#entries) {
      if (subject.endsWith(end) && subject.startsWith(start)) return value;
    }
    return undefined;
  }
}

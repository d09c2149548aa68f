// What has ended: an order, say, once one of its states tells so. A shop that opens its screen wants the orders that are
// still open, and no subject can be asked for those.
import type { Catalogue, Ending } from '@sluice/schemas';
import { TypeTable } from '../log/type-table.ts';
import { textIn } from './payload-gate.ts';

/** A stored event, as far as it is looked at here. */
interface Told {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export class Endings {
  readonly #types: TypeTable<Ending>;
  readonly #valueOf: (subject: string, payload: Uint8Array) => unknown;

  /** `valueOf` answers undefined for a payload that cannot be read: such an event ends nothing. */
  constructor(catalogue: Pick<Catalogue, 'families'>, valueOf: (subject: string, payload: Uint8Array) => unknown) {
    this.#types = new TypeTable(catalogue, ({ ends }) => ends);
    this.#valueOf = valueOf;
  }

  /** The newest events of some subjects, without all those of what has ended. */
  withoutEnded<T extends Told>(states: readonly T[]): readonly T[] {
    const ended = new Set<string>();
    for (const state of states) if (this.#saysEnded(state)) ended.add(keysOf(state.subject));
    return ended.size === 0 ? states : states.filter(({ subject }) => !ended.has(keysOf(subject)));
  }

  #saysEnded({ subject, payload }: Told): boolean {
    const ending = this.#types.find(subject);
    if (!ending) return false;
    const said = textIn(this.#valueOf(subject, payload), ending.field);
    return said !== undefined && ending.values.includes(said);
  }
}

/** `order.m-1.u-1.o-17` of each of its types. */
const keysOf = (subject: string): string => subject.slice(0, subject.lastIndexOf('.'));

// Which events may be left out because a newer one of their subject says the same. Only a deliverable event takes
// another's place: the newest one that a client could get is never missing. Pure but for the payload gate's verdicts.
import type { Catalogue } from '@sluice/schemas';
import type { Segment } from '../log/segment.ts';
import type { EventRef } from '../log/tail.ts';
import { TypeTable } from '../log/type-table.ts';
import type { PayloadGate } from './payload-gate.ts';

export class Conflation {
  readonly #types: TypeTable<number>;
  readonly #gate: PayloadGate;
  /** Events left out, once per channel (and per page where it is read behind the head). */
  leftOutCount = 0;

  constructor(catalogue: Pick<Catalogue, 'families'>, gate: PayloadGate) {
    this.#types = new TypeTable(catalogue, ({ conflate }) => conflate?.everyMs);
    this.#gate = gate;
  }

  /** No type of the catalogue is conflated: nobody has to ask further. */
  get isEmpty(): boolean {
    return this.#types.isEmpty;
  }

  /** How often an event of this subject may reach a subscriber; 0 if as often as it happens. */
  everyMs(subject: string): number {
    return this.#types.find(subject) ?? 0;
  }

  isDeliverable(segment: Segment, number: number): boolean {
    return this.#gate.isDeliverable(segment, number);
  }

  /** The same events in their order, of each conflated subject only the newest deliverable one. */
  newest(events: readonly EventRef[]): readonly EventRef[] {
    if (this.isEmpty) return events;
    /** Per subject: until when something newer of it is deliverable. */
    let coveredMs: Map<string, number> | undefined;
    let kept: EventRef[] | undefined;
    for (let at = events.length - 1; at >= 0; at--) {
      const event = events[at]!;
      const { segment, number } = event;
      const subject = segment.subjects[number]!;
      if (this.everyMs(subject) > 0) {
        coveredMs ??= new Map();
        const newerMs = coveredMs.get(subject);
        // An older event that would outlive the newer one stays: it is the one to show then.
        if (newerMs !== undefined && segment.expiresAtMs(number) <= newerMs) {
          this.leftOutCount++;
          kept ??= events.slice(at + 1).reverse();
          continue;
        }
        if (this.#gate.isDeliverable(segment, number)) {
          coveredMs.set(subject, Math.max(newerMs ?? 0, segment.expiresAtMs(number)));
        }
      }
      kept?.push(event);
    }
    return kept?.reverse() ?? events;
  }
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoredEvent } from './cold-contract.ts';
import { mergePages } from './page-merge.ts';

const event = (sequence: number, isMarker: boolean): StoredEvent => ({
  sequence,
  timeMs: sequence,
  subject: 's',
  payload: Buffer.alloc(isMarker ? 0 : sequence % 7),
  isMarker,
});

/** Some filters over a log of 40 messages, each read up to some sequence. */
const pages = fc.array(
  fc.record({
    matches: fc.uniqueArray(fc.integer({ min: 1, max: 40 })),
    through: fc.integer({ min: 0, max: 40 }),
  }),
  { minLength: 1, maxLength: 4 },
);
const limits = fc.record({ maxEvents: fc.integer({ min: 1, max: 20 }), maxBytes: fc.integer({ min: 1, max: 60 }) });

test('a merged page holds exactly the events of all filters up to where it says, within its limits', () => {
  fc.assert(
    fc.property(pages, limits, fc.uniqueArray(fc.integer({ min: 1, max: 40 })), (filters, bounds, markers) => {
      const read = filters.map(({ matches, through }) => ({
        through,
        events: matches
          .filter((sequence) => sequence <= through)
          .sort((a, b) => a - b)
          .map((sequence) => event(sequence, markers.includes(sequence))),
      }));

      const page = mergePages(read, bounds);

      const wanted = new Set(read.flatMap(({ events }) => events).map(({ sequence }) => sequence));
      const expected = [...wanted]
        .filter((sequence) => sequence <= page.through && !markers.includes(sequence))
        .sort((a, b) => a - b);
      expect(page.events.map(({ sequence }) => sequence)).toEqual(expected);
      const horizon = Math.min(...filters.map(({ through }) => through));
      expect(page.through).toBeLessThanOrEqual(horizon);
      const bytes = page.events.reduce((sum, { payload }) => sum + payload.length, 0);
      expect(page.events.length).toBeLessThanOrEqual(bounds.maxEvents);
      expect(bytes <= bounds.maxBytes || page.events.length === 1).toBe(true);
      // Whoever goes on from `through` gets on.
      if (page.through < horizon) expect(page.events.length).toBeGreaterThan(0);
    }),
  );
});

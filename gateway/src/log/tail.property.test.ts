// The tail against a plain array, whatever is appended, skipped, evicted and begun anew in between.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FiltersOf } from './segment.ts';
import { Tail, TailMemory, type TailRead } from './tail.ts';

interface Stored {
  readonly sequence: number;
  readonly timeMs: number;
  readonly subject: string;
  readonly payload: Uint8Array;
}

/** Three slots, the last of which applies to some subjects only. */
const filtersOf: FiltersOf = (subject, into) => {
  const [left = '', right = ''] = subject.split('.');
  into[0] = `${left}.*`;
  into[1] = `*.${right}`;
  into[2] = right === 'x' ? subject : '';
  return 3;
};
const SUBJECTS = ['a.x', 'a.y', 'b.x', 'b.y', 'c.z'];
const FILTERS = ['a.*', 'b.*', '*.x', '*.y', '*.z', 'a.x', 'b.x', 'nobody.*'];
const matches = (filters: readonly string[], subject: string): boolean => {
  const into: string[] = [];
  filtersOf(subject, into);
  return filters.some((filter) => into.includes(filter));
};

/** The tail's definition: every stored event from `first` to `head`. */
class Model {
  events: Stored[] = [];
  head = 0;
  headTimeMs = 0;

  held(tail: Tail): Stored[] {
    return this.events.filter(({ sequence }) => sequence >= tail.firstSequence);
  }
}

type Step =
  | {
      readonly kind: 'append';
      readonly count: number;
      readonly gap: number;
      readonly bytes: number;
      readonly back: number;
    }
  | { readonly kind: 'skip'; readonly gap: number }
  | { readonly kind: 'begin'; readonly first: number }
  | { readonly kind: 'evict' }
  | { readonly kind: 'read'; readonly filters: readonly string[]; readonly at: number; readonly maxBytes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.constantFrom(1, 1, 2, 5, 250, 257),
      gap: fc.nat(3),
      bytes: fc.constantFrom(0, 1, 40, 40, 40, 3_000),
      back: fc.constantFrom(0, 0, 0, 7),
    }),
  },
  {
    weight: 2,
    // Large payloads, a few of which fill a segment.
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 4 }),
      gap: fc.nat(1),
      bytes: fc.constant(400_000),
      back: fc.constant(0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), gap: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('begin' as const), first: fc.integer({ min: 1, max: 50 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'evict' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      filters: fc.uniqueArray(fc.constantFrom(...FILTERS), { minLength: 1, maxLength: 4 }),
      at: fc.nat(1_000),
      maxBytes: fc.constantFrom(1, 100, 5_000, 1_000_000, Number.POSITIVE_INFINITY),
    }),
  },
);

const checkRead = (
  read: TailRead,
  held: readonly Stored[],
  query: { after: number; filters: readonly string[]; maxBytes: number },
  tail: Tail,
): void => {
  const expected = held.filter(
    ({ sequence, subject }) => sequence > query.after && sequence <= read.through && matches(query.filters, subject),
  );
  const got = read.events.map(({ segment, number }) => ({
    sequence: segment.sequences[number]!,
    timeMs: segment.timesMs[number]!,
    subject: segment.subjects[number]!,
  }));
  expect(got).toEqual(expected.map(({ sequence, timeMs, subject }) => ({ sequence, timeMs, subject })));
  for (const [i, { segment, number }] of read.events.entries()) {
    if (Buffer.compare(segment.payload(number), expected[i]!.payload) !== 0) throw new Error(`payload ${i} differs`);
  }
  expect(read.through).toBeLessThanOrEqual(tail.head);
  const bytes = expected.reduce((sum, { payload }) => sum + payload.length, 0);
  // It stops early only with enough in hand, and never with much more than it was asked for.
  if (read.through < tail.head) expect(bytes).toBeGreaterThanOrEqual(query.maxBytes);
  const last = expected.at(-1)?.payload.length ?? 0;
  expect(bytes - last).toBeLessThanOrEqual(2 * query.maxBytes);
};

const MAX_BYTES = 3_000_000;
/** A segment that is being filled: its slab grows by doubling, and its arrays are of a fixed size. */
const FILLING_BYTES = 4_000_000;

test('the tail holds, finds and forgets what an array would', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1), step), { maxLength: 40 }), (steps) => {
      const memory = new TailMemory(MAX_BYTES);
      const tails = [new Tail('A', filtersOf, memory), new Tail('B', filtersOf, memory)];
      const models = [new Model(), new Model()];
      let nowMs = 1_000_000;
      let turn = 0;
      let isEvicted = false;
      for (const [which, one] of steps) {
        const tail = tails[which]!;
        const model = models[which]!;
        const firstBefore = tail.firstSequence;
        switch (one.kind) {
          case 'append':
            for (let i = 0; i < one.count; i++) {
              const sequence = model.head + 1 + (i === 0 ? one.gap : 0);
              // Store times may stand still, and step back when another server leads.
              nowMs += (i % 3) - (i === 0 ? one.back : 0);
              const payload = new Uint8Array(one.bytes).fill(++turn % 251);
              const subject = SUBJECTS[turn % SUBJECTS.length]!;
              const segment = tail.append(sequence, nowMs, subject, payload);
              model.events.push({ sequence, timeMs: nowMs, subject, payload: payload.slice() });
              // The caller's bytes are only lent.
              payload.fill(255);
              expect(segment.sequences[segment.count - 1]).toBe(sequence);
              model.head = sequence;
              model.headTimeMs = nowMs;
            }
            break;
          case 'skip':
            model.head += 1 + one.gap;
            model.headTimeMs = ++nowMs;
            tail.skip(model.head, nowMs);
            break;
          case 'begin':
            tail.begin(`e${one.first}`, one.first);
            model.events = [];
            model.head = one.first - 1;
            model.headTimeMs = 0;
            expect([tail.firstSequence, tail.eventCount, tail.byteLength]).toEqual([one.first, 0, 0]);
            break;
          case 'evict':
            tail.evictOldest();
            isEvicted = true;
            break;
          case 'read': {
            const span = model.head - tail.firstSequence + 2;
            const after = tail.firstSequence - 1 + (span > 0 ? one.at % span : 0);
            const held = model.held(tail);
            checkRead(tail.read(one.filters, after, one.maxBytes), held, { ...one, after }, tail);
            const match = held.find(({ sequence, subject }) => sequence > after && matches(one.filters, subject));
            expect(tail.firstMatch(one.filters, after)).toEqual(
              match && { sequence: match.sequence, timeMs: match.timeMs },
            );
            expect(tail.timeOf(after)).toBe(held.find(({ sequence }) => sequence === after)?.timeMs);
            const below = held.findLast(({ sequence }) => sequence < after);
            expect(tail.newestBelow(after)).toEqual(below && { sequence: below.sequence, timeMs: below.timeMs });
          }
        }
        expect([tail.head, tail.headTimeMs]).toEqual([model.head, model.headTimeMs]);
        if (one.kind !== 'begin') expect(tail.firstSequence).toBeGreaterThanOrEqual(firstBefore);
        expect(tail.eventCount).toBe(model.held(tail).length);
        expect(memory.byteLength).toBeLessThanOrEqual(MAX_BYTES + tails.length * FILLING_BYTES);
        const payloadBytes = models.flatMap(({ events }) => events).reduce((sum, each) => sum + each.payload.length, 0);
        // Nothing is given up without need.
        if (!isEvicted && payloadBytes * 2 + 1_000_000 < MAX_BYTES) expect(tail.eventCount).toBe(model.events.length);
      }
    }),
  );
});

test('a reader that goes on from where it was told sees everything once, however the tail grows meanwhile', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom(...FILTERS), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 4_000 }),
      fc.array(fc.nat(300), { minLength: 1, maxLength: 12 }),
      (filters, maxBytes, bursts) => {
        const tail = new Tail('A', filtersOf, new TailMemory(1e9));
        const seen: number[] = [];
        const expected: number[] = [];
        let after = 0;
        for (const [i, burst] of [...bursts, 0, 0].entries()) {
          for (let k = 0; k < burst; k++) {
            const subject = SUBJECTS[(i + k) % SUBJECTS.length]!;
            tail.append(tail.head + 1 + (k % 2), 5, subject, new Uint8Array(k % 50));
            if (matches(filters, subject)) expected.push(tail.head);
          }
          const read = tail.read(filters, after, maxBytes);
          seen.push(...read.events.map(({ segment, number }) => segment.sequences[number]!));
          after = read.through;
        }
        while (after < tail.head) {
          const read = tail.read(filters, after, maxBytes);
          expect(read.through).toBeGreaterThan(after);
          seen.push(...read.events.map(({ segment, number }) => segment.sequences[number]!));
          after = read.through;
        }

        expect(seen).toEqual(expected);
      },
    ),
  );
});

describe('pages', () => {
  const filled = (count: number): Tail => {
    const tail = new Tail('A', filtersOf, new TailMemory(1e9));
    for (let i = 1; i <= count; i++) tail.append(i, i, 'a.x', new Uint8Array(100));
    return tail;
  };

  test('readers who start apart soon ask for the same', () => {
    const tail = filled(3_000);
    const ends = (after: number): Set<number> => {
      const all = new Set<number>();
      for (let at = after; at < tail.head;) all.add((at = tail.read(['a.*'], at, 20_000).through));
      return all;
    };

    const [left, right] = [ends(3), ends(411)];

    expect([...right].filter((end) => end > 1_000 && !left.has(end))).toEqual([]);
  });

  test('an event larger than the page is a page', () => {
    const tail = filled(2);
    tail.append(3, 3, 'a.x', new Uint8Array(100_000));

    expect(tail.read(['a.*'], 2, 10)).toMatchObject({ events: [{ number: 2 }], through: 3 });
  });

  test('a segment of thousands of events is found by its own end', () => {
    const tail = filled(10_000);

    expect(tail.segmentCount).toBeGreaterThan(2);
    for (const after of [0, 4_095, 4_096, 4_097, 9_999, 10_000]) {
      const read = tail.read(['a.*'], after, Number.POSITIVE_INFINITY);
      expect([after, read.events.length, read.through]).toEqual([after, 10_000 - after, 10_000]);
    }
  });
});

describe('eviction', () => {
  test('the oldest segment of any tail goes first, never one that is being filled', () => {
    const memory = new TailMemory(6_000_000);
    const [old, young] = [new Tail('A', filtersOf, memory), new Tail('B', filtersOf, memory)];
    const big = new Uint8Array(600_000);
    for (let i = 1; i <= 4; i++) old.append(i, i, 'a.x', big);
    for (let i = 1; i <= 30; i++) young.append(i, 100 + i, 'a.x', big);

    expect(old.firstSequence).toBe(3);
    expect(old.eventCount).toBe(2);
    expect(young.firstSequence).toBeGreaterThan(1);
    expect(young.eventCount).toBe(30 - young.firstSequence + 1);
    expect(memory.byteLength).toBeLessThanOrEqual(6_000_000 + 2 * FILLING_BYTES);
  });

  test('holes after the last event of a segment that goes stay with it: nothing is claimed that is not known', () => {
    const tail = new Tail('A', filtersOf, new TailMemory(1e9));
    const big = new Uint8Array(1_100_000);
    tail.append(5, 1, 'a.x', big);
    tail.skip(9, 2);
    tail.append(20, 3, 'a.x', big);

    tail.evictOldest();

    expect([tail.firstSequence, tail.head]).toEqual([6, 20]);
    expect(tail.read(['a.*'], 5, 1).events.length).toBe(1);
  });
});

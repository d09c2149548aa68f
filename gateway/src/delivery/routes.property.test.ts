// Routes against the definition of matching: an event reaches exactly the filters that match its subject.
import {
  catalogue,
  channel,
  claim,
  family,
  filter,
  isSubjectMatch,
  mustCompileCatalogue,
  param,
  state,
} from '@sluice/schemas';
import fc from 'fast-check';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { resolveChannel, type Principal } from '../access/permission.ts';
import { ORDERS } from './delivery.fixture.ts';
import { compileRoutes } from './routes.ts';

const word = fc.constantFrom('a', 'b', 'c', 'created', 'order', 'x*y', 'constructor');
const subject = fc
  .tuple(
    fc.constantFrom('order', 'delivery', 'payment', 'orders', 'x'),
    fc.array(word, { minLength: 0, maxLength: 5 }),
    fc.constantFrom(
      'created',
      'status_changed',
      'location_updated',
      'eta_updated',
      'arrived',
      'confirmed',
      'gone',
      'toString',
    ),
  )
  .map(([prefix, middle, type]) => [prefix, ...(middle.length === 5 ? middle.slice(0, 3) : middle), type].join('.'));
const who: fc.Arbitrary<Principal> = fc.record({
  subject: word,
  role: fc.constantFrom('customer', 'merchant_owner', 'admin'),
  claims: fc.record({ merchantId: fc.oneof(word, fc.uniqueArray(word, { maxLength: 3 })) }),
});
const name = fc.tuple(fc.constantFrom('order', 'user', 'merchant'), word).map((parts) => parts.join(':'));

const filtersOf = (routes: ReturnType<typeof compileRoutes>, of: string, heardOnly = false): string[] => {
  const into: string[] = ['left', 'over', 'from', 'the', 'subject', 'before'];
  const slots = heardOnly ? routes.heardFiltersOf(of, into) : routes.filtersOf(of, into);
  return into.slice(0, slots).filter((each) => each !== '');
};

test("an event reaches a channel exactly if one of the channel's filters matches its subject", () => {
  const routes = compileRoutes(ORDERS);
  fc.assert(
    fc.property(who, name, subject, (principal, channelName, of) => {
      const resolved = resolveChannel(ORDERS, principal, channelName);
      if (!resolved.ok) return;
      const reached = filtersOf(routes, of);

      for (const { filters } of resolved.value.streams) {
        for (const wanted of filters)
          expect([wanted, reached.includes(wanted)]).toEqual([wanted, isSubjectMatch(wanted, of)]);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a filter stands once, always in the same slot: the index of a segment chains by slot', () => {
  const routes = compileRoutes(ORDERS);
  const slotOf = new Map<string, number>();
  fc.assert(
    fc.property(subject, (of) => {
      const into: string[] = [];
      const slots = routes.filtersOf(of, into);
      const found = into.slice(0, slots).filter((each) => each !== '');
      expect(new Set(found).size).toBe(found.length);
      for (const [slot, each] of into.slice(0, slots).entries()) {
        if (each === '') continue;
        expect(slotOf.get(each) ?? slot).toBe(slot);
        slotOf.set(each, slot);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('what is heard is what is matched, among the shapes that somebody listens to', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(who, name), { maxLength: 4 }),
      fc.array(subject, { maxLength: 10 }),
      fc.nat(3),
      (listeners, subjects, gone) => {
        const routes = compileRoutes(ORDERS);
        const perListener = listeners.map(([principal, channelName]) => {
          const resolved = resolveChannel(ORDERS, principal, channelName);
          return resolved.ok ? resolved.value.streams.flatMap(({ filters }) => filters) : [];
        });
        for (const filters of perListener) for (const each of filters) routes.listen(each);
        const left = perListener.splice(gone, 1)[0] ?? [];
        for (const each of left) routes.unlisten(each);
        const heard = new Set(perListener.flat());

        for (const of of subjects) {
          const all = filtersOf(routes, of);
          const some = filtersOf(routes, of, true);
          expect(all).toEqual(expect.arrayContaining(some));
          expect(some).toEqual(expect.arrayContaining(all.filter((each) => heard.has(each))));
          if (heard.size === 0) expect(some).toEqual([]);
        }
      },
    ),
  );
});

describe('odd catalogues', () => {
  const STREAM = { name: 'S', maxAgeMs: 1_000 };

  test('a placeholder called constructor is bound only where a filter binds it', () => {
    const odd = family({
      name: 'odd',
      subject: 'odd.{constructor}.{toString}',
      stream: STREAM,
      types: { made: state(Type.Object({})) },
    });
    const compiled = mustCompileCatalogue(
      catalogue({
        families: [odd],
        channels: [
          channel({
            name: 'odd:{x}',
            first: 'none',
            access: [{ roles: 'any', filters: [filter(odd, { toString: param('x') } as never)] }],
          }),
        ],
        role: { claim: 'role', fallback: 'user' },
      }),
    );

    expect(filtersOf(compileRoutes(compiled), 'odd.a.b.made')).toEqual(['odd.*.b.*']);
  });

  test('more shapes of filters than an index has slots are refused, not mixed up', () => {
    const placeholders = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const wide = family({
      name: 'wide',
      subject: `wide.${placeholders.map((each) => `{${each}}`).join('.')}` as 'wide.{a}',
      stream: STREAM,
      types: { made: state(Type.Object({})) },
    });
    const shapes = Array.from({ length: 65 }, (_, i) =>
      filter(
        wide,
        Object.fromEntries(
          placeholders.filter((_, bit) => (i + 1) & (1 << bit)).map((each) => [each, claim('sub')]),
        ) as never,
      ),
    );
    const compiled = mustCompileCatalogue(
      catalogue({
        families: [wide],
        channels: [channel({ name: 'wide', first: 'none', access: [{ roles: 'any', filters: shapes }] })],
        role: { claim: 'role', fallback: 'user' },
      }),
    );

    expect(() => compileRoutes(compiled)).toThrow(expect.objectContaining({ code: 'catalogue_invalid' }));
  });
});

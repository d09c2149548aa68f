import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { orders } from '../rez/orders.ts';
import { compileCatalogue, filterSubject, mustCompileCatalogue, stateFiltersOf, typeOfSubject } from './compile.ts';
import {
  catalogue,
  channel,
  claim,
  family,
  filter,
  moment,
  param,
  state,
  type CatalogueDefinition,
  type ChannelDefinition,
  type FamilyDefinition,
} from './define.ts';

const STREAM = { name: 'A', maxAgeMs: 1_000 };
const Any = Type.Object({});
const a = family({ name: 'a', subject: 'a.{x}.{y}', stream: STREAM, types: { made: state(Any), seen: moment(Any) } });
const open = channel({
  name: 'one:{x}',
  first: 'none',
  access: [{ roles: 'any', filters: [filter(a, { x: param('x'), y: claim('sub') })] }],
});

const define = (
  families: readonly FamilyDefinition[] = [a],
  channels: readonly ChannelDefinition[] = [open],
): CatalogueDefinition => catalogue({ families, channels, role: { claim: 'role', fallback: 'user' } });

const faultsOf = (definition: CatalogueDefinition): readonly string[] => {
  const compiled = compileCatalogue(definition);
  return compiled.ok ? [] : compiled.error;
};

const withFamily = (changes: Partial<FamilyDefinition>): CatalogueDefinition =>
  define([a, { name: 'b', subject: 'b.{x}', stream: STREAM, types: { made: state(Any) }, ...changes }]);

const withChannel = (changes: Partial<ChannelDefinition>): CatalogueDefinition =>
  define([a], [{ ...open, ...changes }]);

const bound = (
  bindings: Record<string, ReturnType<typeof param>>,
  types?: readonly string[],
): ChannelDefinition['access'] => [{ roles: 'any', filters: [{ family: 'a', bindings, ...(types && { types }) }] }];

test('the reference catalogue has no fault', () => {
  expect(faultsOf(orders)).toEqual([]);
  expect(faultsOf(define())).toEqual([]);
});

describe('faults', () => {
  test.each<[string, CatalogueDefinition, RegExp]>([
    ['a family twice', withFamily({ name: 'a', subject: 'b.{x}.{y}' }), /family a is defined twice/],
    ['a subject without placeholders', withFamily({ subject: 'b' }), /subject "b" is not/],
    ['a subject with a wildcard', withFamily({ subject: 'b.*' }), /subject "b\.\*" is not/],
    ['a subject with a literal in the middle', withFamily({ subject: 'b.{x}.c' }), /subject "b\.\{x\}\.c" is not/],
    ['a subject that begins with a placeholder', withFamily({ subject: '{x}.b' }), /is not prefix/],
    ['the prefix of ephemeral events', withFamily({ subject: 'eph.{x}' }), /eph\.> is for ephemeral events/],
    ['a prefix twice', withFamily({ subject: 'a.{z}' }), /families a and b share the subject prefix "a"/],
    ['a placeholder twice', withFamily({ subject: 'b.{x}.{x}' }), /family b: a placeholder stands twice/],
    ['a type in camel case', withFamily({ types: { madeUp: state(Any) } }), /type b\.madeUp is not snake_case/],
    ['a type with a dot', withFamily({ types: { 'a.b': state(Any) } }), /type b\.a\.b is not snake_case/],
    [
      'an alias of two types',
      withFamily({ types: { x: state(Any, { aliases: ['old'] }), y: state(Any, { aliases: ['old'] }) } }),
      /alias old belongs to b\.x and b\.y/,
    ],
    [
      'one stream with two ages',
      withFamily({ stream: { name: 'A', maxAgeMs: 2_000 } }),
      /family b: stream A is defined in two ways/,
    ],
    [
      'one stream with two sizes',
      withFamily({ stream: { ...STREAM, maxBytes: 5 } }),
      /family b: stream A is defined in two ways/,
    ],
    [
      'a stream whose name no stream can have',
      withFamily({ stream: { name: 'A.B', maxAgeMs: 1 } }),
      /no stream can be called "A\.B"/,
    ],
    ['a family without types', withFamily({ types: {} }), /family b has no types/],
    ['a channel name in capitals', withChannel({ name: 'One:{x}' }), /channel "One:\{x\}" is not name/],
    [
      'a channel name with a literal parameter',
      withChannel({ name: 'one:x:{x}' }),
      /channel "one:x:\{x\}" is not name/,
    ],
    ['a parameter twice', withChannel({ name: 'one:{x}:{x}' }), /channel one:\{x\}:\{x\}: a parameter stands twice/],
    ['a channel twice', define([a], [open, open]), /channel one is defined twice/],
    ['an owner that is no parameter', withChannel({ owner: { z: claim('sub') } }), /owner names "z"/],
    [
      'an owner that is bound to a parameter that is none',
      withChannel({ owner: { x: param('z') } }),
      /channel one:\{x\}: no parameter z/,
    ],
    ['a channel for nobody', withChannel({ access: [] }), /nobody may subscribe/],
    ['a role without filters', withChannel({ access: [{ roles: 'any', filters: [] }] }), /a role without filters/],
    [
      'a filter of an unknown family',
      withChannel({ access: [{ roles: 'any', filters: [{ family: 'z', bindings: {} }] }] }),
      /family z is not in the catalogue/,
    ],
    ['a filter of an unknown placeholder', withChannel({ access: bound({ z: param('x') }) }), /a has no placeholder z/],
    ['a filter of an unknown parameter', withChannel({ access: bound({ x: param('z') }) }), /no parameter z/],
    ['a filter of an unknown type', withChannel({ access: bound({ x: param('x') }, ['gone']) }), /a has no type gone/],
    ['a filter of no type at all', withChannel({ access: bound({ x: param('x') }, []) }), /matches nothing/],
  ])('%s', (_, definition, fault) => {
    const faults = faultsOf(definition);

    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  test('all of them are told at once', () => {
    const faults = faultsOf(
      define(
        [a, { name: 'b', subject: 'eph.x', stream: { ...STREAM, maxAgeMs: 7 }, types: { Bad: state(Any) } }],
        [{ ...open, name: 'ONE', access: [] }, open],
      ),
    );

    expect(faults.length).toBe(6);
    expect(() => mustCompileCatalogue(define([a], [{ ...open, name: 'ONE', access: [] }]))).toThrow(
      /contradicts itself:\n- channel "ONE".*\n- channel ONE: nobody/,
    );
  });
});

describe('what is derived', () => {
  const compiled = mustCompileCatalogue(orders);

  test('a stream has the subjects of all its families', () => {
    expect(compiled.streams.map(({ name, subjects }) => [name, subjects])).toEqual([
      ['ORDER', ['order.>', 'delivery.>']],
      ['PAYMENT', ['payment.>']],
    ]);
  });

  test('a stored subject has a type by its prefix and last token', () => {
    const nameOf = (subject: string): string | undefined => typeOfSubject(compiled.families, subject)?.name;

    expect(nameOf('order.m.u.o.status_changed')).toBe('order.status_changed');
    expect(nameOf('payment.m.u.o.failed')).toBe('payment.failed');
    for (const unknown of ['order.m.u.o.gone', 'orders.m.u.o.created', 'ord.m.u.o.created', 'order', '', '.created']) {
      expect([unknown, nameOf(unknown)]).toEqual([unknown, undefined]);
    }
  });

  test('types that every object has are none of a family', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(typeOfSubject(compiled.families, `order.m.u.o.${name}`)).toBeUndefined();
    }
  });

  test('a filter has the values in the order of the subject and wildcards elsewhere', () => {
    const order = compiled.families.get('order')!;

    expect(filterSubject(order, { userId: 'u-1' }, 'created')).toBe('order.*.u-1.*.created');
    expect(filterSubject(order, { orderId: 'o', merchantId: 'm' })).toBe('order.m.*.o.*');
  });

  test('a placeholder may be called like something that every object has', () => {
    const odd = family({ name: 'odd', subject: 'odd.{constructor}', stream: STREAM, types: { made: state(Any) } });

    expect(filterSubject(mustCompileCatalogue(define([a, odd])).families.get('odd')!, {})).toBe('odd.*.*');
  });
});

test('states are named by type, moments and types that the filters leave out are not among them', () => {
  const { families } = mustCompileCatalogue(orders);

  const states = stateFiltersOf(families, [
    'delivery.*.u-1.*.*',
    'order.*.u-1.*.created',
    'payment.*.u-1.*.*',
    'x.*.*',
  ]);

  expect(states).toEqual([
    'order.*.u-1.*.created',
    ...['confirmed', 'failed', 'processing', 'refund_updated'].map((type) => `payment.*.u-1.*.${type}`),
  ]);
});

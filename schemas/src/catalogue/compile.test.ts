// That faults are told, all of them; and what is derived from a catalogue without any.
import { describe, expect, test } from 'vitest';
import { orders } from '../rez/orders.ts';
import { filterSubject, mustCompileCatalogue, stateFiltersOf, typeOfSubject } from './compile.ts';
import { a, Any, ask, define, faultsOf, hum, open, STREAM } from './faulty.fixture.ts';
import { family, state } from './define.ts';

test('a catalogue without contradictions has no fault', () => {
  expect(faultsOf(orders)).toEqual([]);
  expect(faultsOf(define([a], [open], { commands: [hum], calls: [ask], actorClaims: ['name'] }))).toEqual([]);
});

test('all faults are told at once', () => {
  const faults = faultsOf(
    define(
      [a, { name: 'b', subject: 'eph.x', stream: { ...STREAM, maxAgeMs: 7 }, types: { Bad: state(Any) } }],
      [{ ...open, name: 'ONE', access: [] }, open],
      { commands: [{ ...hum, name: 'hum' }], calls: [{ ...ask, timeoutMs: 0 }], actorClaims: ['sub'] },
    ),
  );

  expect(faults.length).toBe(9);
  expect(() => mustCompileCatalogue(define([a], [{ ...open, name: 'ONE', access: [] }]))).toThrow(
    /contradicts itself:\n- channel "ONE".*\n- channel ONE: nobody/,
  );
});

test.each(['sub', 'role'])('services learn of %s without being told to', (claim) => {
  expect(faultsOf(define([a], [open], { actorClaims: [claim] }))).toEqual([
    `actorClaims: services always learn of "${claim}"`,
  ]);
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

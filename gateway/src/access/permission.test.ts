import { describe, expect, test } from 'vitest';
import {
  catalogue,
  channel,
  claim,
  family,
  filter,
  isSubjectMatch,
  moment,
  mustCompileCatalogue,
  param,
  orders,
  rez,
  state,
} from '@sluice/schemas';
import { Type } from 'typebox';
import { claimsOf, MAX_COMBINATIONS, resolveChannel, type Principal } from './permission.ts';

const ORDERS = mustCompileCatalogue(orders);

const principal = (role: string, claims: Record<string, unknown> = {}, subject = 'u-1'): Principal => ({
  subject,
  role,
  claims,
});

const filtersOf = (who: Principal, name: string): Record<string, readonly string[]> => {
  const resolved = resolveChannel(ORDERS, who, name);
  if (!resolved.ok) throw new Error(resolved.error);
  return Object.fromEntries(resolved.value.streams.map(({ stream, filters }) => [stream, filters]));
};

const errorOf = (who: Principal, name: string): string | undefined => {
  const resolved = resolveChannel(ORDERS, who, name);
  return resolved.ok ? undefined : resolved.error;
};

const customer = principal('customer');
const merchant = principal('merchant_owner', { merchantId: 'm-1' }, 'u-9');
const admin = principal('admin', {}, 'u-0');

describe('one name, several audiences', () => {
  test('a customer gets their own order only, whatever id they name', () => {
    expect(filtersOf(customer, 'order:o-17')).toEqual({
      ORDER: ['delivery.*.u-1.o-17.*', 'order.*.u-1.o-17.*'],
      PAYMENT: ['payment.*.u-1.o-17.*'],
    });
  });

  test('a merchant gets orders of their shop, without payments', () => {
    expect(filtersOf(merchant, 'order:o-17')).toEqual({ ORDER: ['delivery.m-1.*.o-17.*', 'order.m-1.*.o-17.*'] });
  });

  test('an admin gets all of the order', () => {
    expect(filtersOf(admin, 'order:o-17')['PAYMENT']).toEqual(['payment.*.*.o-17.*']);
  });

  test('the same name under other filters is another channel', () => {
    const ids = [customer, principal('customer', {}, 'u-2'), merchant, admin].map((who) => {
      const resolved = resolveChannel(ORDERS, who, 'order:o-17');
      return resolved.ok ? resolved.value.id : '';
    });

    expect(new Set(ids).size).toBe(4);
  });

  test('equal filters are one channel, for whoever asks', () => {
    const staff = resolveChannel(ORDERS, principal('merchant_staff', { merchantId: 'm-1' }, 'u-5'), 'order:o-17');
    const owner = resolveChannel(ORDERS, merchant, 'order:o-17');

    expect(staff).toEqual(owner);
  });
});

describe('what a channel resolves to', () => {
  test('filters per stream, sorted, with the types that the channel carries', () => {
    const resolved = resolveChannel(ORDERS, customer, 'user:u-1');

    expect(resolved.ok && resolved.value.streams).toEqual([
      {
        stream: 'ORDER',
        filters: ['delivery.*.u-1.*.*', 'order.*.u-1.*.created', 'order.*.u-1.*.status_changed'],
      },
      {
        stream: 'PAYMENT',
        filters: ['payment.*.u-1.*.*'],
      },
    ]);
  });

  test('a key is 8 characters, the start of the id, and does not depend on the order of the catalogue', () => {
    const reversed = mustCompileCatalogue({ ...orders, families: [...orders.families].reverse() });

    const one = resolveChannel(ORDERS, customer, 'order:o-17');
    const other = resolveChannel(reversed, customer, 'order:o-17');

    expect(one).toEqual(other);
    expect(one.ok && one.value.key).toMatch(/^[A-Za-z0-9_-]{8}$/);
    expect(one.ok && one.value.id.startsWith(one.value.key)).toBe(true);
    expect(one.ok && one.value.id.length).toBe(32);
  });

  test('a change of the filters changes the key', () => {
    const before = resolveChannel(ORDERS, principal('merchant_owner', { merchantId: ['m-1'] }), 'order:o-17');
    const after = resolveChannel(ORDERS, principal('merchant_owner', { merchantId: ['m-1', 'm-2'] }), 'order:o-17');

    expect(before.ok && after.ok && before.value.key !== after.value.key).toBe(true);
  });
});

describe('list claims', () => {
  test('become several filters', () => {
    const filters = filtersOf(principal('merchant_owner', { merchantId: ['m-2', 'm-1'] }), 'order:o-17');

    expect(filters['ORDER']).toEqual(
      ['m-1', 'm-2']
        .flatMap((m) => [`delivery.${m}.*.o-17.*`])
        .concat(['m-1', 'm-2'].map((m) => `order.${m}.*.o-17.*`)),
    );
  });

  test('with a value twice become one filter', () => {
    const twice = filtersOf(principal('merchant_owner', { merchantId: ['m-1', 'm-1'] }), 'order:o-17');

    expect(twice).toEqual(filtersOf(merchant, 'order:o-17'));
  });

  test('own a channel by any of their values', () => {
    const owner = principal('merchant_owner', { merchantId: ['m-1', 'm-2'] });

    expect(errorOf(owner, 'merchant:m-2')).toBeUndefined();
    expect(errorOf(owner, 'merchant:m-3')).toBe('forbidden');
  });

  test('that are too long are refused, not cut short', () => {
    const shops = (count: number): Principal =>
      principal('merchant_owner', { merchantId: Array.from({ length: count }, (_, i) => `m-${i}`) });

    expect(errorOf(shops(MAX_COMBINATIONS), 'order:o-17')).toBeUndefined();
    expect(errorOf(shops(MAX_COMBINATIONS + 1), 'order:o-17')).toBe('forbidden');
  });

  test('that are empty, or have one unsafe value, grant nothing', () => {
    for (const merchantId of [[], ['m-1', '*'], ['m-1', null], [['m-1']], ['m-1', 7]]) {
      expect(errorOf(principal('merchant_owner', { merchantId }), 'order:o-17')).toBe('forbidden');
      expect(errorOf(principal('merchant_owner', { merchantId }), 'merchant:m-1')).toBe('forbidden');
    }
  });
});

describe('refusals', () => {
  const UNSAFE: readonly unknown[] = [
    '*',
    '>',
    'a.b',
    'a.>',
    '',
    ' ',
    'a b',
    'a\tb',
    'a\nb',
    'a\u0000b',
    'a\u0085b',
    'a\u00a0b',
    'a\u2028b',
    '\ufeffa',
    'a\ud800',
    'x'.repeat(129),
    'é'.repeat(65),
    'x'.repeat(10_240),
    undefined,
    null,
    0,
    42,
    Number.NaN,
    true,
    {},
    { toString: (): string => 'm-1' },
    [],
    Symbol('m-1'),
    (): string => 'm-1',
  ];

  test.each(UNSAFE.map((value) => [value]))('an unsafe or missing claim grants nothing: %j', (merchantId) => {
    expect(errorOf(principal('merchant_owner', { merchantId }), 'order:o-17')).toBe('forbidden');
  });

  test('a missing claim does not become text', () => {
    expect(errorOf(principal('merchant_owner'), 'order:o-17')).toBe('forbidden');
    expect(errorOf(principal('merchant_owner'), 'merchant:undefined')).toBe('forbidden');
    expect(errorOf(principal('merchant_owner', { merchantId: null }), 'merchant:null')).toBe('forbidden');
  });

  test('what every object inherits is no claim', () => {
    const { guard: _, ...unguarded } = orders.families[0];
    const inherited = mustCompileCatalogue(
      catalogue({
        families: [unguarded],
        channels: [
          channel({
            name: 'mine',
            first: 'none',
            access: [{ roles: 'any', filters: [filter(unguarded, { userId: claim('constructor') })] }],
          }),
        ],
        role: orders.role,
      }),
    );

    expect(resolveChannel(inherited, customer, 'mine')).toEqual({ ok: false, error: 'forbidden' });
    const own = principal('customer', { constructor: 'u-1' });
    expect(resolveChannel(inherited, own, 'mine').ok).toBe(true);
  });

  test("another's channel is forbidden", () => {
    expect(errorOf(customer, 'user:u-2')).toBe('forbidden');
    expect(errorOf(customer, 'merchant:m-1')).toBe('forbidden');
    expect(errorOf(merchant, 'merchant:m-2')).toBe('forbidden');
  });

  test('an unknown role gets what every signed-in user gets, and nothing else', () => {
    const stranger = principal('pirate', { merchantId: 'm-1' });

    expect(errorOf(stranger, 'order:o-17')).toBe('forbidden');
    expect(errorOf(stranger, 'merchant:m-1')).toBe('forbidden');
    expect(errorOf(stranger, 'user:u-1')).toBeUndefined();
  });

  test.each([
    [''],
    [':'],
    ['order:'],
    ['order'],
    ['order:o-17:x'],
    ['order:*'],
    ['order:>'],
    ['order:a.b'],
    ['order:o 17'],
    ['order:o\u000017'],
    ['Order:o-17'],
    [' order:o-17'],
    ['order:o-17 '],
    [`order:${'x'.repeat(600)}`],
    ['order.m-1.u-1.o-17'],
    ['*:o-17'],
    ['__proto__'],
  ])('a name that breaks the grammar is invalid: %j', (name) => {
    expect(errorOf(admin, name)).toBe('invalid_channel');
  });

  test('a name that is not text is invalid', () => {
    expect(errorOf(admin, undefined as unknown as string)).toBe('invalid_channel');
  });

  test.each([['room:7'], ['constructor'], ['orders:o-17']])('a name that nobody has is unknown: %j', (name) => {
    expect(errorOf(admin, name)).toBe('unknown_channel');
  });
});

test('a channel of which one filter cannot be filled is refused, not served in part', () => {
  const [order, delivery] = orders.families;
  const both = mustCompileCatalogue(
    catalogue({
      families: [order, delivery],
      channels: [
        channel({
          name: 'both',
          first: 'none',
          access: [
            {
              roles: 'any',
              filters: [
                filter(order, { userId: claim('sub') }),
                filter(delivery, { merchantId: claim('merchantId'), userId: claim('sub') }),
              ],
            },
          ],
        }),
      ],
      role: orders.role,
    }),
  );

  expect(resolveChannel(both, customer, 'both')).toEqual({ ok: false, error: 'forbidden' });
  expect(resolveChannel(both, principal('customer', { merchantId: 'm-1' }), 'both').ok).toBe(true);
});

test('two list claims combine up to the limit', () => {
  const pair = family({
    name: 'pair',
    subject: 'pair.{a}.{b}',
    stream: { name: 'PAIR', maxAgeMs: 1_000 },
    types: { on: state(Type.Object({})), ping: moment(Type.Object({})) },
  });
  const pairs = mustCompileCatalogue(
    catalogue({
      families: [pair],
      channels: [
        channel({
          name: 'pairs:{b}',
          first: 'none',
          access: [
            { roles: ['wide'], filters: [filter(pair, { a: claim('a'), b: claim('b') })] },
            { roles: ['narrow'], filters: [filter(pair, { a: claim('a'), b: param('b') })] },
          ],
        }),
      ],
      role: { claim: 'role', fallback: 'narrow' },
    }),
  );
  const values = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i}`);

  const eight = resolveChannel(pairs, principal('wide', { a: values(8), b: values(8) }), 'pairs:x');
  const nine = resolveChannel(pairs, principal('wide', { a: values(9), b: values(8) }), 'pairs:x');

  expect(eight.ok && eight.value.streams[0]?.filters.length).toBe(64);
  expect(nine).toEqual({ ok: false, error: 'forbidden' });
  expect(filtersMatch(resolveChannel(pairs, principal('narrow', { a: ['v1'] }), 'pairs:x'), 'pair.v1.x.on')).toBe(true);
});

const filtersMatch = (resolved: ReturnType<typeof resolveChannel>, subject: string): boolean =>
  resolved.ok && resolved.value.streams.some(({ filters }) => filters.some((each) => isSubjectMatch(each, subject)));

test('a catalogue says which claims it reads, and which of them enter subjects', () => {
  const sorted = (names: ReadonlySet<string>): string[] => [...names].sort();
  const both = ['merchantId', 'sub'];

  expect(sorted(claimsOf(ORDERS).all)).toEqual(both);
  expect(sorted(claimsOf(mustCompileCatalogue(rez)).all)).toEqual(['merchantId', 'name', 'sub']);
  expect(sorted(claimsOf(mustCompileCatalogue(rez)).inSubjects)).toEqual(both);
});

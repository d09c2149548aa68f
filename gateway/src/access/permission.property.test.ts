// I9: no input widens a filter. Whatever stands in claims and names, nobody matches another's subject.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeSubject,
  encodeSubject,
  isSubjectMatch,
  mustCompileCatalogue,
  parseSubjectToken,
  orders,
} from '@sluice/schemas';
import { resolveChannel, type Principal } from './permission.ts';

const ORDERS = mustCompileCatalogue(orders);

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('*', '>', '.', ' ', '\t', '\0', ':', '%', 'a', '\ud800', '\u2028', 'é'),
    maxLength: 6,
  }),
  fc.constantFrom(
    '*',
    '>',
    '*.*',
    'u-1',
    'u-1.o-1',
    'undefined',
    'null',
    '[object Object]',
    '__proto__',
    'x'.repeat(10_000),
  ),
);
const hostileClaim = fc.oneof(
  { weight: 3, arbitrary: hostileText },
  fc.array(fc.oneof(hostileText, fc.anything()), { maxLength: 4 }),
  fc.anything(),
);
const role = fc.constantFrom('customer', 'merchant_owner', 'merchant_staff', 'admin', 'pirate', '', '__proto__');
const anyone = fc.record({
  subject: hostileText,
  role,
  claims: fc.record({ merchantId: hostileClaim, sub: hostileClaim }),
});
const name = fc.oneof(
  fc.tuple(fc.constantFrom('order', 'user', 'merchant'), hostileText).map((parts) => parts.join(':')),
  hostileText,
);
const token = fc.stringMatching(/^[a-z0-9|@%-]{1,8}$/);
const subject = fc
  .tuple(
    fc.constantFrom('order', 'delivery', 'payment'),
    token,
    token,
    token,
    fc.constantFrom('created', 'confirmed', 'x'),
  )
  .map((tokens) => ({ merchantId: tokens[1], userId: tokens[2], orderId: tokens[3], text: tokens.join('.') }));

const filtersOf = (who: Principal, channel: string): readonly string[] => {
  const resolved = resolveChannel(ORDERS, who, channel);
  return resolved.ok ? resolved.value.streams.flatMap(({ filters }) => filters) : [];
};

const valuesOf = (claim: unknown): readonly unknown[] => (Array.isArray(claim) ? claim : [claim]);

test('nobody but an admin matches a subject that does not carry one of their own ids', () => {
  fc.assert(
    fc.property(anyone, name, subject, (who, channel, event) => {
      const isMine = event.userId === who.subject || valuesOf(who.claims.merchantId).includes(event.merchantId);

      const isMatched = filtersOf(who, channel).some((filter) => isSubjectMatch(filter, event.text));

      return !isMatched || isMine || who.role === 'admin';
    }),
    { numRuns: 3_000 },
  );
});

test("a customer's filters name the customer, literally, in the user's place", () => {
  fc.assert(
    fc.property(hostileText, hostileClaim, name, (sub, merchantId, channel) => {
      const filters = filtersOf({ subject: sub, role: 'customer', claims: { merchantId } }, channel);

      for (const filter of filters) expect(filter.split('.')[2]).toBe(sub);
    }),
    { numRuns: 2_000 },
  );
});

test('every filter has exactly the five tokens of its family, and no wildcard but a whole token', () => {
  fc.assert(
    fc.property(anyone, name, (who, channel) => {
      for (const filter of filtersOf(who, channel)) {
        const tokens = filter.split('.');
        expect(tokens.length).toBe(5);
        expect(tokens.every((each) => each === '*' || parseSubjectToken(each).ok)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('good claims do match their own events, so that the properties above are not empty', () => {
  fc.assert(
    fc.property(subject, ({ merchantId, userId, orderId }) => {
      const customer = filtersOf({ subject: userId, role: 'customer', claims: {} }, `order:${orderId}`);
      const merchant = filtersOf({ subject: 'u', role: 'merchant_owner', claims: { merchantId } }, `order:${orderId}`);
      const event = `order.${merchantId}.${userId}.${orderId}.created`;

      return [customer, merchant].every((filters) => filters.some((filter) => isSubjectMatch(filter, event)));
    }),
  );
});

test('resolving never throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), fc.anything(), (sub, role, claims, channel) => {
      const who = { subject: sub, role, claims: Object(claims) as object } as Principal;

      expect(typeof resolveChannel(ORDERS, who, channel as string).ok).toBe('boolean');
    }),
    { numRuns: 1_000 },
  );
});

test('a subject survives its encoding, which is safe and keeps different values different', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (value) => {
      const encoded = encodeSubject(value);

      expect(decodeSubject(encoded)).toEqual({ ok: true, value });
      expect(encoded.includes(':')).toBe(false);
      const parsed = parseSubjectToken(encoded);
      expect(parsed.ok || parsed.error === 'too_long').toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

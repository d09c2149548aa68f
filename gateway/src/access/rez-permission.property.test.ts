// Whoever asks, by whatever name: what belongs to somebody else is on no filter that they get without a grant.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mustCompileCatalogue, rez, type FamilyDefinition, type Guard } from '@sluice/schemas';
import { joinedChannels, resolveChannel, type Principal } from './permission.ts';

const catalogue = mustCompileCatalogue(rez);
const guards = new Map<string, { readonly guard: Guard; readonly placeholders: readonly string[] }>();
for (const { name, guard } of rez.families as readonly FamilyDefinition[]) {
  const { prefix, placeholders } = catalogue.families.get(name)!;
  if (guard) guards.set(prefix, { guard, placeholders });
}

// Few ids, so that people, shops and parameters meet often; some would widen a filter if they were let through.
const id = fc.constantFrom('a', 'b', 'c', 'chat-a', 'cart-a', 'chat-b', 'cart-b', 'dashboard', 'everyone', 'sale');
const hostile = fc.constantFrom('*', '>', 'a.b', '', 'a:b', 'a b');
const value = fc.oneof({ weight: 6, arbitrary: id }, { weight: 1, arbitrary: hostile });
const principal: fc.Arbitrary<Principal> = fc.record({
  subject: value,
  role: fc.constantFrom(
    'customer',
    'merchant_owner',
    'merchant_staff',
    'delivery_partner',
    'agent',
    'super_admin',
    'admin',
    'operator',
    'wizard',
  ),
  claims: fc.record(
    { merchantId: fc.oneof(value, fc.array(value, { maxLength: 3 })), name: value, userId: value, sub: value },
    { requiredKeys: [] },
  ),
});
const channel = fc.oneof(
  ...[...catalogue.channels.values()].map(({ prefix, params }) =>
    fc.tuple(...params.map(() => value)).map((values) => [prefix, ...values].join(':')),
  ),
  fc.constantFrom(...catalogue.channels.keys()),
);

/** Values that make an event the principal's own, per claim. */
const ownValues = ({ subject, claims }: Principal, claim: string): readonly unknown[] => {
  if (claim === 'sub') return [subject, `chat-${subject}`];
  const values = claims[claim];
  return Array.isArray(values) ? values : [values];
};

const expectOwn = (who: Principal, name: string): 'refused' | 'granted' | 'own' => {
  const resolved = resolveChannel(catalogue, who, name);
  if (!resolved.ok) return 'refused';
  const { streams, ephemeral, grant } = resolved.value;
  if (grant !== undefined) {
    expect(grant).toBe([...resolved.value.channel.split(':'), who.subject].join('.'));
    return 'granted';
  }
  for (const subject of [...streams.flatMap(({ filters }) => filters), ...ephemeral]) {
    const tokens = subject.replace(/^eph\./, '').split('.');
    const guarded = guards.get(tokens[0]!);
    if (!guarded || guarded.guard.exempt?.includes(who.role)) continue;
    const isOwn = Object.entries(guarded.guard.placeholders).some(([placeholder, claims]) => {
      const token = tokens[guarded.placeholders.indexOf(placeholder) + 1];
      return claims.some((claim) => ownValues(who, claim).includes(token));
    });
    expect([name, subject, isOwn]).toEqual([name, subject, true]);
  }
  return 'own';
};

test('a filter without a grant names its reader', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(principal, channel, (who, name) => {
      seen.add(expectOwn(who, name));
    }),
    { numRuns: 3_000 },
  );

  // All three happened: the property did not hold for want of cases.
  expect(seen).toEqual(new Set(['refused', 'granted', 'own']));
});

test('what is joined by itself is too', () => {
  fc.assert(
    fc.property(principal, (who) => {
      for (const name of joinedChannels(catalogue, who)) expect(expectOwn(who, name)).not.toBe('granted');
    }),
  );
});

test('there are guards to check', () => {
  expect([...guards.keys()].sort()).toEqual([
    'cart',
    'chat',
    'command',
    'dashboard',
    'delivery',
    'feed',
    'notification',
    'order',
    'payment',
    'user',
    'wallet',
  ]);
});

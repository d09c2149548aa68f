// The whole domain, channel by channel: who gets in, by what, and to which subjects; and who does not.
import { describe, expect, test } from 'vitest';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { joinedChannels, resolveChannel, type Principal } from './permission.ts';

const catalogue = mustCompileCatalogue(rez);

const PEOPLE = {
  customer: { subject: 'u-1', role: 'customer', claims: {} },
  neighbour: { subject: 'u-2', role: 'customer', claims: {} },
  owner: { subject: 'u-9', role: 'merchant_owner', claims: { merchantId: 'm-1' } },
  staff: { subject: 'u-8', role: 'merchant_staff', claims: { merchantId: ['m-1', 'm-2'] } },
  /** Of a merchant whom the token does not name. */
  unnamed: { subject: 'u-7', role: 'merchant_owner', claims: {} },
  rider: { subject: 'u-6', role: 'delivery_partner', claims: {} },
  agent: { subject: 'u-5', role: 'agent', claims: {} },
  operator: { subject: 'u-4', role: 'operator', claims: {} },
  admin: { subject: 'u-3', role: 'admin', claims: {} },
  root: { subject: 'u-0', role: 'super_admin', claims: {} },
  stranger: { subject: 'u-x', role: 'wizard', claims: {} },
} as const satisfies Record<string, Principal>;
type Person = keyof typeof PEOPLE;

const everybody = Object.keys(PEOPLE) as Person[];

/** `in`: at once; `grant`: with one; otherwise the code of the refusal. */
const entryOf = (person: Person, name: string): string => {
  const resolved = resolveChannel(catalogue, PEOPLE[person], name);
  if (!resolved.ok) return resolved.error;
  return resolved.value.grant === undefined ? 'in' : 'grant';
};

const subjectsOf = (person: Person, name: string): readonly string[] => {
  const resolved = resolveChannel(catalogue, PEOPLE[person], name);
  if (!resolved.ok) throw new Error(`${person} on ${name}: ${resolved.error}`);
  return [...resolved.value.streams.flatMap(({ filters }) => filters), ...resolved.value.ephemeral];
};

test('a sub with colons has the channels that are its own, under their names too; nobody else has', () => {
  const who: Principal = { subject: 'us-east-1:4f:1', role: 'customer', claims: {} };
  for (const prefix of ['user', 'feed', 'cart']) {
    const plain = resolveChannel(catalogue, who, prefix);
    expect(plain.ok && resolveChannel(catalogue, who, plain.value.channel)).toEqual(plain);
    expect(resolveChannel(catalogue, { ...who, subject: 'us-east-1:4f' }, plain.ok ? plain.value.channel : '').ok).toBe(
      false,
    );
  }
  expect(joinedChannels(catalogue, who)).toEqual(['user:us-east-1:4f:1', 'broadcast']);
  expect(resolveChannel(catalogue, who, 'user:us-east-1:4f:2').ok).toBe(false);
});

const MERCHANTS = ['owner', 'staff'] as const;
const ADMINS = ['operator', 'admin', 'root'] as const;

/** Everybody who is in no list is refused. */
const WHO: readonly [
  channel: string,
  entries: { readonly in?: readonly Person[]; readonly grant?: readonly Person[] },
][] = [
  ['user:u-1', { in: ['customer'] }],
  ['merchant:m-1', { in: MERCHANTS, grant: ['unnamed'] }],
  ['merchant:m-2', { in: ['staff'], grant: ['owner', 'unnamed'] }],
  ['admin:dashboard', { in: ADMINS }],
  ['admin:payroll', {}],
  ['order:o-1', { in: ['customer', 'neighbour', ...MERCHANTS, ...ADMINS], grant: ['rider'] }],
  ['chat:c-1', { in: ['agent'], grant: everybody.filter((person) => person !== 'agent') }],
  [
    'chat:chat-u-1',
    { in: ['agent', 'customer'], grant: everybody.filter((each) => each !== 'agent' && each !== 'customer') },
  ],
  ['feed:u-1', { in: ['customer'] }],
  ['leaderboard:daily', { in: everybody }],
  ['cart:cart-u-1', { in: ['customer'] }],
  ['cart:u-1', {}],
  ['product:p-1', { in: everybody }],
  ['store:m-1', { in: everybody }],
  ['flash_sale:s-1', { in: everybody }],
  ['broadcast', { in: everybody }],
  ['activity:a-1', { in: everybody }],
  ['activities', { in: everybody }],
  ['presence:u-1', { grant: everybody }],
];

test.each(WHO)('%s: who gets in', (channel, { in: inside = [], grant = [] }) => {
  const expected = everybody.map((person) => [
    person,
    inside.includes(person) ? 'in' : grant.includes(person) ? 'grant' : 'forbidden',
  ]);

  expect(everybody.map((person) => [person, entryOf(person, channel)])).toEqual(expected);
});

test('every channel of the catalogue is in the table', () => {
  expect(new Set(WHO.map(([channel]) => channel.split(':')[0]))).toEqual(new Set(catalogue.channels.keys()));
});

describe('to which subjects', () => {
  const carried: readonly [Person, string, readonly string[]][] = [
    [
      'customer',
      'user:u-1',
      [
        'delivery.*.u-1.*.*',
        'order.*.u-1.*.created',
        'order.*.u-1.*.status_changed',
        'payment.*.u-1.*.*',
        'feed.u-1.*.user_followed',
        'leaderboard.*.u-1.achievement',
        'leaderboard.*.u-1.rank_change',
        'command.u-1.*.*.*',
        'notification.u-1.created',
        'wallet.u-1.*',
      ],
    ],
    [
      'owner',
      'merchant:m-1',
      [
        'order.m-1.*.*.created',
        'order.m-1.*.*.status_changed',
        'product.m-1.*.*',
        'store.m-1.*',
        'notification.m-1.created',
        'eph.notification.m-1.sound',
      ],
    ],
    ['customer', 'order:o-1', ['delivery.*.u-1.o-1.*', 'order.*.u-1.o-1.*', 'payment.*.u-1.o-1.*']],
    ['neighbour', 'order:o-1', ['delivery.*.u-2.o-1.*', 'order.*.u-2.o-1.*', 'payment.*.u-2.o-1.*']],
    ['owner', 'order:o-1', ['delivery.m-1.*.o-1.*', 'order.m-1.*.o-1.*']],
    ['rider', 'order:o-1', ['delivery.*.*.o-1.*', 'order.*.*.o-1.*']],
    ['root', 'order:o-1', ['delivery.*.*.o-1.*', 'order.*.*.o-1.*', 'payment.*.*.o-1.*']],
    ['customer', 'chat:chat-u-1', ['chat.chat-u-1.*.*', 'eph.chat.chat-u-1.*.typing']],
    ['customer', 'feed', ['feed.u-1.*.new_post', 'feed.u-1.*.post_commented', 'feed.u-1.*.post_liked']],
    ['customer', 'leaderboard', ['leaderboard.monthly.*.rank_change', 'leaderboard.monthly.*.update']],
    ['customer', 'cart', ['cart.u-1.cart-u-1.*']],
    ['customer', 'product:p-1', ['product.*.p-1.*']],
    ['customer', 'store:m-1', ['store.m-1.*']],
    ['customer', 'flash_sale:s-1', ['promotion.s-1.*.stock_update']],
    ['customer', 'broadcast', ['promotion.*.*.flash_sale_started']],
    ['customer', 'activity:a-1', ['activity.a-1.*.*']],
    ['customer', 'activities', ['activity.*.*.*']],
    ['customer', 'presence:u-2', ['user.u-2.*']],
    ['operator', 'admin', ['dashboard.*.*']],
  ];

  test.each(carried)('%s on %s', (person, channel, subjects) => {
    expect([...subjectsOf(person, channel)].sort()).toEqual([...subjects].sort());
  });
});

test('a push to a phone is on no channel', () => {
  const asked = everybody.flatMap((person) =>
    WHO.filter(([channel]) => entryOf(person, channel) !== 'forbidden').flatMap(([channel]) =>
      subjectsOf(person, channel),
    ),
  );

  expect(asked.filter((subject) => /^notification\..*\.(\*|push_requested)$/.test(subject))).toEqual([]);
  expect(asked.some((subject) => subject.startsWith('notification.'))).toBe(true);
});

test('a grant is for one channel and one user', () => {
  const resolved = resolveChannel(catalogue, PEOPLE.rider, 'order:o-1');

  expect(resolved.ok && resolved.value.grant).toBe('order.o-1.u-6');
});

test.each<[Person, readonly string[]]>([
  ['customer', ['user:u-1', 'broadcast']],
  ['owner', ['merchant:m-1', 'user:u-9', 'broadcast']],
  ['staff', ['merchant:m-1', 'merchant:m-2', 'user:u-8', 'broadcast']],
  ['unnamed', ['user:u-7', 'broadcast']],
  ['rider', ['user:u-6', 'broadcast']],
  ['operator', ['user:u-4', 'admin:dashboard', 'broadcast']],
])('%s is joined to %j, and may be', (person, channels) => {
  expect(joinedChannels(catalogue, PEOPLE[person])).toEqual(channels);
  for (const channel of channels) expect(entryOf(person, channel)).toBe('in');
});

test('a customer whose id looks like a part of a name gets no more by it', () => {
  const odd: Principal = { subject: 'cart-u-1', role: 'customer', claims: {} };

  expect(resolveChannel(catalogue, odd, 'cart:cart-u-1')).toEqual({ ok: false, error: 'forbidden' });
  expect(resolveChannel(catalogue, odd, 'cart:cart-cart-u-1').ok).toBe(true);
});

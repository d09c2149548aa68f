// I9: one channel name, many audiences. Two customers, two merchants and an admin subscribe to `order:o-17`, and each gets
// exactly its own: what is stored, and what comes.
import { describe, expect } from 'vitest';
import { type Seat, expectSeatsComplete } from '../kit/audience.ts';
import {
  type StreamFilters,
  adminOrderFilters,
  customerOrderFilters,
  merchantFilters,
  merchantOrderFilters,
  userFilters,
} from '../kit/channel-filters.ts';
import { test } from '../kit/fixtures.ts';
import { type OrderEventType, publishOrderEvents } from '../kit/order-events.ts';
import { type Claims, principals, secretIssuer } from '../kit/token.ts';

const CHANNEL = 'order:o-17';

/** Every type; a customer of each merchant has an order of this name, and there are orders of others. */
const TYPES: readonly OrderEventType[] = [
  'order.created',
  'payment.processing',
  'order.status_changed',
  'order.location_updated',
  'payment.confirmed',
  'order.eta_updated',
  'delivery.arrived',
  'payment.failed',
  'payment.refund_updated',
];
const OWNERS = [
  { merchantId: 'm-1', userId: 'u-1', orderId: 'o-17' },
  { merchantId: 'm-2', userId: 'u-2', orderId: 'o-17' },
  { merchantId: 'm-1', userId: 'u-1', orderId: 'o-18' },
  { merchantId: 'm-3', userId: 'u-3', orderId: 'o-99' },
];

interface Viewer {
  who: string;
  claims: Claims;
  filters: StreamFilters[];
  /** Of the 9 types of one order. */
  eventsPerRound: number;
}

const VIEWERS: readonly Viewer[] = [
  {
    who: 'a customer',
    claims: principals.customer('u-1'),
    filters: customerOrderFilters('u-1', 'o-17'),
    eventsPerRound: 9,
  },
  {
    who: 'another customer',
    claims: principals.customer('u-2'),
    filters: customerOrderFilters('u-2', 'o-17'),
    eventsPerRound: 9,
  },
  {
    who: 'a stranger',
    claims: principals.customer('u-4'),
    filters: customerOrderFilters('u-4', 'o-17'),
    eventsPerRound: 0,
  },
  {
    who: 'a merchant',
    claims: principals.merchant('m-1'),
    filters: merchantOrderFilters('m-1', 'o-17'),
    eventsPerRound: 5,
  },
  {
    who: 'staff of another merchant',
    claims: { sub: 'staff-1', role: 'merchant_staff', merchantId: 'm-2' },
    filters: merchantOrderFilters('m-2', 'o-17'),
    eventsPerRound: 5,
  },
  {
    who: 'the owner of two merchants',
    claims: principals.merchant(['m-1', 'm-2'], 'owner-2'),
    filters: [
      {
        stream: 'ORDER',
        subjects: ['m-1', 'm-2'].flatMap((merchantId) => merchantOrderFilters(merchantId, 'o-17')[0]!.subjects),
      },
    ],
    eventsPerRound: 10,
  },
  { who: 'an admin', claims: principals.admin(), filters: adminOrderFilters('o-17'), eventsPerRound: 18 },
  // A customer whose id is that of a merchant, and the other way round.
  {
    who: 'a namesake',
    claims: principals.customer('m-1'),
    filters: customerOrderFilters('m-1', 'o-17'),
    eventsPerRound: 0,
  },
];

describe.for(['json', 'msgpack'] as const)('%s', (encoding) => {
  test('each of many viewers of one channel name gets exactly its own', async ({ connection, openClient }) => {
    const publish = async (): Promise<void> => {
      for (const owner of OWNERS) await publishOrderEvents(connection, TYPES.length, { ...owner, types: TYPES });
    };
    await publish();
    const seats: Seat[] = [];
    for (const { who, claims, filters } of VIEWERS) {
      const client = await openClient({ name: who, encoding, token: await secretIssuer().sign(claims) });
      await client.subscribeUntilLive(CHANNEL, { first: 'all' });
      seats.push({ client, channel: CHANNEL, filters });
    }

    await publish();

    await expectSeatsComplete(connection, seats, { first: 'all' });
    expect(seats.map(({ client }) => [client.recorder.name, client.recorder.count(CHANNEL)])).toEqual(
      VIEWERS.map(({ who, eventsPerRound }) => [who, 2 * eventsPerRound]),
    );
  });

  test('the other channels of a customer and a merchant carry what is theirs, and no more', async ({
    connection,
    openClient,
  }) => {
    const customer = await openClient({
      name: 'customer',
      encoding,
      token: await secretIssuer().sign(principals.customer()),
    });
    const merchant = await openClient({
      name: 'merchant',
      encoding,
      token: await secretIssuer().sign(principals.merchant()),
    });
    const seats: Seat[] = [
      { client: customer, channel: 'user:u-1', filters: userFilters('u-1') },
      { client: merchant, channel: 'merchant:m-1', filters: merchantFilters('m-1') },
    ];
    for (const { client, channel } of seats) await client.subscribeUntilLive(channel, { first: 'all' });

    for (const owner of OWNERS) await publishOrderEvents(connection, TYPES.length, { ...owner, types: TYPES });

    await expectSeatsComplete(connection, seats, { first: 'all' });
    // Of two orders: no location and no ETA for the user, creation and status alone for the merchant.
    expect(seats.map(({ client, channel }) => client.recorder.count(channel))).toEqual([2 * 7, 2 * 2]);
  });
});

// I4: the token changes or ends while a client catches up over a slow link. What was handed to the socket before, it may
// still get; nothing that its current token does not grant is handed over afterwards.
import type { DownFrame } from '@sluice/schemas';
import { describe, expect } from 'vitest';
import { publishBacklog } from '../kit/backlog.ts';
import { adminOrderFilters, customerOrderFilters, merchantOrderFilters } from '../kit/channel-filters.ts';
import { expectComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import type { FrameClient } from '../kit/frame-client.ts';
import { FrameLog } from '../kit/frame-log.ts';
import type { Gateway } from '../kit/gateway.ts';
import { type OrderIds, publishOrderEvents } from '../kit/order-events.ts';
import { type Claims, principals, secretIssuer } from '../kit/token.ts';

const CHANNEL = 'order:o-1';
const BYTES_PER_SECOND = 400_000;

/** Two merchants and two customers have an order of one name: for each far more than the buffers of a link hold. */
const OWNERS: readonly OrderIds[] = [
  { merchantId: 'm-1', userId: 'u-1' },
  { merchantId: 'm-2', userId: 'u-1' },
  { merchantId: 'm-1', userId: 'u-2' },
  { merchantId: 'm-2', userId: 'u-2' },
];
const BACKLOG = {
  events: 4_000,
  paddingBytes: 4_096,
  next: (index: number) => ({
    type: index % 5 === 3 ? ('payment.confirmed' as const) : ('order.status_changed' as const),
    orderId: 'o-1',
    ...OWNERS[index % OWNERS.length],
  }),
};

const test = base.override({ gatewayEnv: { SLUICE_TOKEN_CLOCK_TOLERANCE_MS: '0' } });

const tokenOf = async (claims: Claims, expiresInMs = 600_000): Promise<string> =>
  await secretIssuer().sign(claims, { expiresInMs });

/** A client whose link is slow, with the catch-up of its channel under way. */
const catchingUp = async (
  open: (options: { token: string; recorder: FrameLog }) => Promise<FrameClient>,
  token: string,
  gateway: Gateway,
): Promise<{ client: FrameClient; log: FrameLog }> => {
  const log = new FrameLog();
  const client = await open({ token, recorder: log });
  client.subscribe(CHANNEL, { first: 'all' });
  await eventually(() => log.count(CHANNEL) > 30, { what: 'the catch-up to begin' });
  await expectUnderWay(gateway, log);
  return { client, log };
};

const expectUnderWay = async (gateway: Gateway, log: FrameLog): Promise<void> => {
  expect((await gateway.metrics()).sum('sluice_subscriptions_behind')).toBe(1);
  expect(log.isLive(CHANNEL)).toBe(false);
};

const eventsIn = (frames: readonly DownFrame[]): Extract<DownFrame, { kind: 'event' }>[] =>
  frames.filter((frame) => frame.kind === 'event');

const isOk =
  (id: number) =>
  (frame: DownFrame): boolean =>
    frame.kind === 'ok' && frame.id === id;

const sendAuth = (client: FrameClient, token: string): number => {
  const id = client.nextId();
  client.send({ kind: 'auth', id, token });
  return id;
};

test('a refreshed token with the same claims changes nothing in the middle of a catch-up', async ({
  connection,
  gateway,
  clientProxy,
  openFrames,
}) => {
  await publishBacklog(connection, BACKLOG);
  clientProxy.throttle(BYTES_PER_SECOND, 'toClient');
  const { client, log } = await catchingUp(openFrames, await tokenOf(principals.customer()), gateway);

  const id = sendAuth(client, await tokenOf(principals.customer()));
  await eventually(async () => (await gateway.metrics()).sum('sluice_auth_total', { outcome: 'accepted' }) === 2);
  await expectUnderWay(gateway, log);
  clientProxy.heal();

  await client.next('ok', (frame) => frame.id === id);
  await client.next('live');
  await expectComplete(connection, log, CHANNEL, { filters: customerOrderFilters('u-1', 'o-1'), first: 'all' });
  expect(log.resets(CHANNEL)).toEqual([]);
});

test('a token that expires in the middle of a catch-up ends the connection; with a fresh one the client goes on where it was', async ({
  connection,
  gateway,
  clientProxy,
  openFrames,
}) => {
  await publishBacklog(connection, BACKLOG);
  clientProxy.throttle(BYTES_PER_SECOND, 'toClient');
  const { client, log } = await catchingUp(openFrames, await tokenOf(principals.customer(), 5_000), gateway);

  await eventually(async () => (await gateway.metrics()).sum('sluice_closes_total', { reason: 'token_expired' }) === 1);
  expect((await gateway.metrics()).sum('sluice_subscriptions')).toBe(0);
  const [late] = await publishOrderEvents(connection, 1, { orderId: 'o-1', startAt: 10_000 });
  const delivered = (await gateway.metrics()).sum('sluice_events_delivered_total');
  clientProxy.heal();
  await expect(client.raw.closed).resolves.toMatchObject({ code: 4007 });
  expect(log.has(CHANNEL, late!)).toBe(false);
  expect(log.isLive(CHANNEL)).toBe(false);
  expect((await gateway.metrics()).sum('sluice_events_delivered_total')).toBe(delivered);

  const again = await openFrames({ token: await tokenOf(principals.customer()), recorder: log });
  again.subscribe(CHANNEL, { first: 'all', position: client.positionOf(CHANNEL)! });
  await expect(again.next('subscribed')).resolves.toMatchObject({ recovered: true });
  await again.next('live');
  await expectComplete(connection, log, CHANNEL, { filters: customerOrderFilters('u-1', 'o-1'), first: 'all' });
});

describe.for([
  { from: 'the tail', env: {} },
  { from: 'JetStream', env: { SLUICE_TAIL_MAX_BYTES: '1048576' } },
])('in the middle of a catch-up from $from', ({ env }) => {
  const testHere = test.override({ gatewayEnv: { SLUICE_TOKEN_CLOCK_TOLERANCE_MS: '0', ...env } });

  testHere.for([
    {
      change: 'another merchant',
      before: principals.merchant('m-1', 'owner'),
      after: principals.merchant('m-2', 'owner'),
      filters: merchantOrderFilters('m-2', 'o-1'),
    },
    {
      change: 'another role',
      before: principals.admin('u-2'),
      after: principals.customer('u-2'),
      filters: customerOrderFilters('u-2', 'o-1'),
    },
    {
      change: 'more rights',
      before: principals.customer('u-2'),
      after: principals.admin('u-2'),
      filters: adminOrderFilters('o-1'),
    },
  ])(
    'a token with $change resets the channel, and only what it grants comes from then on',
    async ({ before, after, filters }, { connection, gateway, clientProxy, openFrames }) => {
      await publishBacklog(connection, BACKLOG);
      clientProxy.throttle(BYTES_PER_SECOND, 'toClient');
      const { client, log } = await catchingUp(openFrames, await tokenOf(before), gateway);

      const id = sendAuth(client, await tokenOf(after));
      await eventually(async () => (await gateway.metrics()).sum('sluice_resets_total') === 1);
      await publishOrderEvents(connection, 20, { orderId: 'o-1', merchantId: 'm-1', userId: 'u-1', startAt: 10_000 });
      clientProxy.heal();

      await client.next('ok', (frame) => frame.id === id);
      await client.next('live');
      const [first, ...rest] = log.after(isOk(id)).filter(({ kind }) => kind !== 'ping');
      expect(first).toMatchObject({ kind: 'reset', channel: CHANNEL, reason: 'filters_changed' });
      expect(eventsIn(rest).length).toBeGreaterThan(0);
      // Refs of the first subscription are gone with it: none of its events came after the change.
      const streams = (first as Extract<DownFrame, { kind: 'reset' }>).streams.map(([ref]) => ref);
      expect(new Set(eventsIn(rest).map(({ ref }) => ref))).toEqual(new Set(streams));
      // Foreign events are faults to the checker: it knows what the new claims grant.
      const afterReset = new FrameLog();
      const entries = log.entries(CHANNEL);
      for (const entry of entries.slice(entries.findIndex(({ kind }) => kind === 'reset') + 1)) {
        afterReset.add(CHANNEL, entry);
      }
      await expectComplete(connection, afterReset, CHANNEL, { filters, first: 'all' });
    },
  );

  testHere(
    'a token that grants the channel no more ends it, and nothing of it comes any more',
    async ({ connection, gateway, clientProxy, openFrames }) => {
      await publishBacklog(connection, BACKLOG);
      clientProxy.throttle(BYTES_PER_SECOND, 'toClient');
      const { client, log } = await catchingUp(openFrames, await tokenOf(principals.admin('owner')), gateway);

      // A merchant without a merchant: whatever it may have been, it is nobody's now.
      const id = sendAuth(client, await tokenOf({ sub: 'owner', role: 'merchant_owner' }));
      await eventually(async () => (await gateway.metrics()).sum('sluice_subscriptions') === 0);
      clientProxy.heal();

      await client.next('ok', (frame) => frame.id === id);
      await expect(client.next('unsubscribed')).resolves.toMatchObject({ channel: CHANNEL, code: 'forbidden' });
      await publishOrderEvents(connection, 20, { orderId: 'o-1' });
      client.subscribe('order:o-2');
      await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden' });
      expect(eventsIn(log.after(isOk(id)))).toEqual([]);
    },
  );
});

// The SDK against a real gateway: what its unit tests take for granted about the other side.
import { ClientError } from '@sluice/client';
import { describe, expect } from 'vitest';
import { customerOrderFilters } from '../kit/channel-filters.ts';
import { expectComplete } from '../kit/checker.ts';
import { eventually } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import type { SdkClient } from '../kit/sdk-client.ts';
import { customerToken } from '../kit/token.ts';

const test = base.override({ gatewayEnv: { SLUICE_PING_INTERVAL_MS: '1000' } });

const CHANNEL = 'order:o-17';
const WHOLE = { filters: customerOrderFilters('u-1', 'o-17'), first: 'all' } as const;

const seen = (client: SdkClient, count: number): Promise<true> =>
  eventually(() => client.recorder.count(CHANNEL) === count, {
    what: `${count} events, not ${client.recorder.count(CHANNEL)}`,
  });

describe.for(['msgpack', 'json'] as const)('%s', (encoding) => {
  test('a client that is cut off resumes with what it missed, and nothing twice', async ({
    connection,
    openClient,
    clientProxy,
  }) => {
    await publishOrderEvents(connection, 20);
    const client = await openClient({ encoding });
    await client.subscribeUntilLive(CHANNEL, { first: 'all' });

    clientProxy.refuse().cut();
    await publishOrderEvents(connection, 30, { startAt: 20, types: ['order.status_changed', 'payment.confirmed'] });
    clientProxy.accept();
    await seen(client, 50);

    await expectComplete(connection, client.recorder, CHANNEL, WHOLE);
    expect(client.recorder.resets(CHANNEL)).toEqual([]);
    expect(client.client.counts).toMatchObject({ events: 50, duplicates: 0 });
  });
});

test('a link that is half open is noticed by its silence', async ({ connection, openClient, clientProxy }) => {
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL, { first: 'all' });

  clientProxy.freeze();
  await eventually(() => client.states.includes('reconnecting'), { timeoutMs: 10_000 });
  clientProxy.thaw();
  await publishOrderEvents(connection, 5);
  await seen(client, 5);

  await expectComplete(connection, client.recorder, CHANNEL, WHOLE);
});

test('a quiet channel’s position moves on with the pings', async ({ connection, openClient }) => {
  await publishOrderEvents(connection, 1);
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL);
  const before = client.client.subscription(CHANNEL)!.position;

  await publishOrderEvents(connection, 10, { orderId: 'o-18', userId: 'u-2' });

  await eventually(() => client.client.subscription(CHANNEL)!.position !== before);
  expect(client.recorder.count(CHANNEL)).toBe(1);
});

test('a token is refreshed over the open connection, again and again', async ({ connection, openClient }) => {
  let tokens = 0;
  const token = async (): Promise<string> => {
    tokens++;
    return await customerToken('u-1', { expiresInMs: 4_000 });
  };
  const client = await openClient({ token });
  await client.subscribeUntilLive(CHANNEL, { first: 'all' });

  await eventually(() => tokens >= 4, { timeoutMs: 20_000, what: 'the fourth token' });
  await publishOrderEvents(connection, 1);
  await seen(client, 1);

  expect(client.states).toEqual(['connecting', 'connected']);
  expect(client.errors).toEqual([]);
});

test('a token that expires and cannot be replaced ends the client with its code', async ({ gateway, openClient }) => {
  void gateway;
  const client = await openClient({ token: await customerToken('u-1', { expiresInMs: 2_000 }) });

  await eventually(() => client.client.state.kind === 'failed', { timeoutMs: 20_000 });

  expect(client.client.state).toEqual({ kind: 'failed', code: 'token_expired' });
});

test('a channel that is not granted ends with its code, and the others go on', async ({ connection, openClient }) => {
  const client = await openClient();
  client.subscribe('merchant:m-1');
  client.subscribe('no-such:channel');
  await client.subscribeUntilLive(CHANNEL, { first: 'all' });
  await publishOrderEvents(connection, 1);
  await seen(client, 1);

  expect(client.recorder.entries('merchant:m-1')).toEqual([
    { kind: 'error', code: 'forbidden' },
    { kind: 'ended', code: 'forbidden' },
  ]);
  expect(client.recorder.entries('no-such:channel').at(-1)).toEqual({ kind: 'ended', code: 'unknown_channel' });
});

test('a hundred channels are subscribed with one hello and resumed with another', async ({
  connection,
  openClient,
  clientProxy,
}) => {
  const client = await openClient();
  const channels = Array.from({ length: 100 }, (_, i) => `order:o-${i}`);
  for (const channel of channels) client.subscribe(channel, { first: 'all' });
  await Promise.all(channels.map((channel) => client.live(channel)));

  clientProxy.refuse().cut();
  await Promise.all(channels.map((_, i) => publishOrderEvents(connection, 2, { orderId: `o-${i}` })));
  clientProxy.accept();
  await eventually(() => client.recorder.total() === 200, { what: 'all 200 events' });

  for (const [i, channel] of channels.entries()) {
    await expectComplete(connection, client.recorder, channel, {
      filters: customerOrderFilters('u-1', `o-${i}`),
      first: 'all',
    });
  }
});

test('a gateway that restarts is drained, and nobody is told of an error', async ({
  connection,
  gateway,
  openClient,
}) => {
  const client = await openClient();
  await client.subscribeUntilLive(CHANNEL, { first: 'all' });

  await gateway.stop();
  await publishOrderEvents(connection, 10);
  await gateway.start();
  await seen(client, 10);

  await expectComplete(connection, client.recorder, CHANNEL, WHOLE);
  expect(client.errors).toEqual([]);
});

test('a refused token is told apart from a missing gateway', async ({ openClient }) => {
  await expect(openClient({ token: 'no token' })).rejects.toSatisfy(
    (error) => error instanceof ClientError && error.code === 'token_invalid',
  );
});

// I9: names of channels that nobody has, that others have, or that would be more than a name in a subject.
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import { sharedGateway } from '../kit/shared-gateway.ts';
import { type Claims, principals, secretIssuer } from '../kit/token.ts';

const test = sharedGateway();

const tokenOf = async (claims: Claims): Promise<string> => await secretIssuer().sign(claims);

test.for([
  ...['', ':', 'order', 'order:', ':o-1', 'order:o-1:', 'order:o-1:x', 'order::o-1', 'Order:o-1', ' order:o-1'],
  ...['order:*', 'order:>', 'order:o.1', 'order:o-1.>', 'order:o-1 ', 'order:o\t1', 'order:\r\nPUB x 0\r\n\r\n'],
  ...['order:\u0000', 'order:o\u007f1', 'order:\u00a0', 'order:\ud800', `order:${'x'.repeat(129)}`, '*:o-1', '>'],
  ...['order.m-1.u-1.o-1', '$JS.API.STREAM.DELETE.ORDER', '_INBOX.x', '../order:o-1', 'order:é'.repeat(30)],
])('%j is not accepted', async (channel, { gateway, connection }) => {
  using client = await FrameClient.open({ url: gateway.url, token: await tokenOf(principals.admin()) });

  const id = client.subscribe(channel, { first: 'all' });

  const { code } = await client.next('error', (frame) => frame.id === id);
  expect(['invalid_channel', 'unknown_channel']).toContain(code);
  const beside = 'order:o-17';
  await client.subscribeUntilLive(beside, { first: 'none' });
  const [last] = (await publishOrderEvents(connection, 2)).slice(-1);
  await eventually(() => client.recorder.has(beside, last!));
  expect(client.recorder.total()).toBe(client.recorder.count(beside));
});

test.for(['orders:o-1', 'toString:x', 'constructor:x', '__proto__:x', 'hasownproperty:x', 'eph:x'])(
  '%j is unknown',
  async (channel, { gateway }) => {
    using client = await FrameClient.open({ url: gateway.url, token: await tokenOf(principals.admin()) });

    client.subscribe(channel);

    const { code } = await client.next('error');
    expect(code).toBe(/^[a-z][a-z0-9_-]*:/.test(channel) ? 'unknown_channel' : 'invalid_channel');
  },
);

test('channels of others are forbidden', async ({ gateway }) => {
  const channelsOf = [
    { claims: principals.customer('u-1'), channels: ['user:u-2', 'merchant:m-1', 'user:U-1', 'user:u-1x'] },
    { claims: principals.merchant('m-1'), channels: ['merchant:m-2', 'user:u-1', 'merchant:M-1'] },
    { claims: principals.merchant(['m-1', 'm-2']), channels: ['merchant:m-3'] },
    { claims: principals.admin(), channels: ['user:u-1', 'merchant:m-1'] },
  ];
  for (const { claims, channels } of channelsOf) {
    using client = await FrameClient.open({ url: gateway.url, token: await tokenOf(claims) });
    for (const channel of channels) {
      client.subscribe(channel);
      await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden', channel });
    }
  }
});

test('an order of others is an empty channel, whether it exists or not', async ({ gateway, connection }) => {
  await publishOrderEvents(connection, 5, { orderId: 'o-99', userId: 'u-9' });
  using client = await FrameClient.open({ url: gateway.url, token: await tokenOf(principals.customer()) });

  await client.subscribeUntilLive('order:o-99', { first: 'all' });
  await publishOrderEvents(connection, 5, { orderId: 'o-99', userId: 'u-9' });
  const [own] = await publishOrderEvents(connection, 1, { orderId: 'o-99', userId: 'u-1' });

  await eventually(() => client.recorder.has('order:o-99', own!));
  expect(client.recorder.count('order:o-99')).toBe(1);
});

test('ids with signs that a subject can carry are ids like any other', async ({ gateway, connection }) => {
  const orderId = 'Ünï-♥_$:{}"\\/%41';
  const userId = 'auth0|65a';
  using client = await FrameClient.open({ url: gateway.url, token: await tokenOf(principals.customer(userId)) });
  const named = orderId.replace(':', '-');
  await client.subscribeUntilLive(`order:${named}`);

  const [event] = await publishOrderEvents(connection, 1, { orderId: named, userId });

  await eventually(() => client.recorder.has(`order:${named}`, event!));
});

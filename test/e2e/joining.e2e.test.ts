// Joining on connect, over real servers: what the catalogue joins a role to is there without being asked for, by the
// present token and within the limits, and is resumed like any other channel.
import { createMemoryPositions } from '@sluice/client';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { tellUser, test, tokenOf } from '../kit/membership.ts';
import { SdkClient } from '../kit/sdk-client.ts';

const open = async (url: string, token: string, ...channels: string[]): Promise<FrameClient> => {
  const client = await FrameClient.open({ url });
  client.send(
    { kind: 'hello', version: 1, token, isJoining: true },
    ...channels.map((channel) => ({ kind: 'subscribe', id: client.nextId(), channel }) as const),
  );
  await client.next('welcome');
  return client;
};

const textsOf = ({ recorder }: Pick<FrameClient, 'recorder'>, channel: string): string[] =>
  recorder.events(channel).map(({ data }) => (data as { text: string }).text);

/** `[id, channel]` of each `subscribed` frame so far. */
const subscribedTo = ({ frames }: FrameClient): [number, string][] =>
  frames.flatMap((frame) => (frame.kind === 'subscribed' ? [[frame.id, frame.channel] as [number, string]] : []));

test('a client is joined to what is its role’s, after what it asks for itself, and learns what is now and what comes', async ({
  js,
  gateway,
}) => {
  await tellUser(js, 'u-1', 'balance', 'ten');
  await js.publish('shop.m-1.opened', JSON.stringify({ text: 'yes' }));
  using customer = await open(gateway.url, await tokenOf('u-1'));
  using merchant = await open(
    gateway.url,
    await tokenOf('u-2', { role: 'merchant', merchantId: ['m-1', 'm-2'] }),
    'shop',
  );
  await eventually(() => customer.recorder.isLive('user:u-1'));
  await eventually(() => ['user:u-2', 'shop:m-1', 'shop:m-2'].every((channel) => merchant.recorder.isLive(channel)));

  expect(subscribedTo(customer)).toEqual([[0, 'user:u-1']]);
  expect(subscribedTo(merchant).sort()).toEqual([
    [0, 'shop:m-1'],
    [0, 'shop:m-2'],
    [0, 'user:u-2'],
  ]);
  // Plain `shop` means none of two.
  expect(merchant.frames).toContainEqual(expect.objectContaining({ kind: 'error', id: 1, code: 'invalid_channel' }));
  expect(textsOf(customer, 'user:u-1')).toEqual(['ten']);
  expect(textsOf(merchant, 'shop:m-1')).toEqual(['yes']);
  await tellUser(js, 'u-1', 'created', 'news');
  await eventually(() => textsOf(customer, 'user:u-1').includes('news'));
  expect(textsOf(merchant, 'user:u-2')).toEqual([]);
});

test('what a client asks for in its greeting is not joined a second time, whatever name it gives it', async ({
  gateway,
}) => {
  for (const name of ['user:u-1', 'user']) {
    using client = await open(gateway.url, await tokenOf('u-1'), name);
    await eventually(() => client.recorder.isLive('user:u-1'));
    expect(subscribedTo(client)).toEqual([[1, 'user:u-1']]);
    // Nothing follows: this answer is the next one.
    client.subscribe('user');
    expect(await client.next('error')).toMatchObject({ id: 2, code: 'already_subscribed' });
    client.send({ kind: 'unsubscribe', id: 3, channel: 'user' });
    expect(await client.next('unsubscribed')).toMatchObject({ id: 3, channel: 'user:u-1' });
  }
});

test('a refreshed token joins what is new, ends what is lost, and brings back nothing that the client has left', async ({
  gateway,
}) => {
  const merchant = { role: 'merchant', merchantId: 'm-1' };
  using client = await open(gateway.url, await tokenOf('u-1'));
  await eventually(() => client.recorder.isLive('user:u-1'));
  const refresh = async (claims: Record<string, unknown>): Promise<void> => {
    client.send({ kind: 'auth', id: client.nextId(), token: await tokenOf('u-1', claims) });
    await client.next('ok');
  };
  client.send({ kind: 'unsubscribe', id: client.nextId(), channel: 'user:u-1' });
  await client.next('unsubscribed');

  await refresh(merchant);
  await eventually(() => client.recorder.isLive('shop:m-1'));
  await refresh({});
  expect(await client.next('unsubscribed')).toMatchObject({ channel: 'shop:m-1', code: 'forbidden' });
  await refresh({ ...merchant, merchantId: 'm-2' });
  await eventually(() => client.recorder.isLive('shop:m-2'));
  expect(subscribedTo(client).map(([, channel]) => channel)).toEqual(['user:u-1', 'shop:m-1', 'shop:m-2']);
});

test('a joined channel that takes a grant is had with the grant, and else refused under the id 0', async ({
  gateway,
  grants,
}) => {
  await grants.grant('lounge:main', 'u-1');
  using member = await open(gateway.url, await tokenOf('u-1', { role: 'guest' }));
  using stranger = await open(gateway.url, await tokenOf('u-2', { role: 'guest' }));
  await eventually(() => member.recorder.isLive('lounge:main'));

  expect(await stranger.next('error')).toMatchObject({ id: 0, channel: 'lounge:main', code: 'forbidden' });
  await grants.revoke('lounge:main', 'u-1');
  expect(await member.next('unsubscribed')).toMatchObject({ channel: 'lounge:main', code: 'revoked' });
});

/** A client whose joined channels are recorded from their first event on. */
const openSdk = async (url: string, positions = createMemoryPositions()): Promise<SdkClient> => {
  const client = new SdkClient({ url, token: await tokenOf('u-1'), more: { positions } });
  client.client.on('joined', (subscription) => client.recorder.follow(subscription));
  return client;
};

test('the SDK has a subscription for each, keeps it over a cut, and misses nothing', async ({
  js,
  gateway,
  clientProxy,
}) => {
  using client = await openSdk(clientProxy.urlFor(gateway.url));
  await client.live('user:u-1');
  await tellUser(js, 'u-1', 'created', 'one');
  await eventually(() => textsOf(client, 'user:u-1').includes('one'));

  clientProxy.refuse();
  clientProxy.cut();
  await tellUser(js, 'u-1', 'created', 'two');
  clientProxy.accept();
  await eventually(() => textsOf(client, 'user:u-1').includes('two'));
  expect(textsOf(client, 'user:u-1')).toEqual(['one', 'two']);
  expect(client.recorder.resets('user:u-1')).toEqual([]);
  expect(client.client.subscribe('user')).toBe(client.client.subscription('user:u-1'));
});

test('an application that was closed goes on from where it was, also on a channel that it is joined to', async ({
  js,
  gateway,
}) => {
  const positions = createMemoryPositions();
  using before = await openSdk(gateway.url, positions);
  await before.live('user:u-1');
  before.client.close();
  await tellUser(js, 'u-1', 'created', 'while away');

  using after = await openSdk(gateway.url, positions);
  await after.live('user:u-1');
  await tellUser(js, 'u-1', 'created', 'back again');
  await eventually(() => textsOf(after, 'user:u-1').includes('back again'));
  expect(textsOf(after, 'user:u-1')).toEqual(['while away', 'back again']);
  expect(after.errors).toEqual([]);
});

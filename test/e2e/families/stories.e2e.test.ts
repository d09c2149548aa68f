// The domain from screen to screen: what one app does by the SDK goes through gateway, stream and service, and comes out on
// the other apps' screens. The families one by one are beside this file; the services alone in their own.
import type { NatsConnection } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { eventually } from '../../kit/eventually.ts';
import { showOnFailure } from '../../kit/fixtures.ts';
import { startGateway } from '../../kit/gateway.ts';
import type { RecordedEvent } from '../../kit/recorder.ts';
import { SdkClient } from '../../kit/sdk-client.ts';
import { serviceTest, storeEvent } from '../../kit/services.ts';
import { type Claims, secretIssuer } from '../../kit/token.ts';

const TIMEOUT_MS = 20_000;
const now = (): string => new Date().toISOString();

const customer = (sub: string): Claims => ({ sub, name: `Name of ${sub}` });
const merchant: Claims = { sub: 'owner-1', role: 'merchant_owner', merchantId: 'm-1' };

/** One device: what it watches, and the events that came, by type. */
class Screen {
  readonly sdk: SdkClient;

  constructor(sdk: SdkClient) {
    this.sdk = sdk;
  }

  async watch(...channels: string[]): Promise<this> {
    for (const channel of channels) await this.sdk.subscribeUntilLive(channel);
    return this;
  }

  async does(command: string, data: Record<string, unknown>): Promise<void> {
    await this.sdk.client.send(command, data);
  }

  /** Data of the events of a type on a channel, oldest first. */
  shows(channel: string, type: string): Record<string, unknown>[] {
    const isType = (event: RecordedEvent): boolean => event.type === type;
    return this.sdk.recorder
      .events(channel)
      .filter(isType)
      .map(({ data }) => data as Record<string, unknown>);
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    const { name } = this.sdk.recorder;
    await eventually(isSo, { timeoutMs: TIMEOUT_MS, what: `${what} on the screen of ${name}` });
  }
}

interface Fixtures {
  /** A device of that user, connected to a gateway that serves the whole domain. */
  device: (claims: Claims) => Promise<Screen>;
}

const test = serviceTest.extend<Fixtures>({
  device: async ({ nats, connection, task }, use) => {
    void connection;
    await using gateway = await startGateway({ natsUrl: nats.url, env: { SLUICE_CATALOGUE: 'rez' } });
    const opened: SdkClient[] = [];
    await use(async (claims) => {
      const token = await secretIssuer().sign(claims);
      // What is watched is said by each story; joining has tests of its own.
      const sdk = new SdkClient({ url: gateway.url, name: String(claims.sub), token, more: { join: false } });
      opened.push(sdk);
      await sdk.client.connected();
      return new Screen(sdk);
    });
    for (const sdk of opened) sdk[Symbol.dispose]();
    showOnFailure(task, 'gateway', gateway.log());
  },
});

const sell = async (connection: NatsConnection, productId: string, price: number): Promise<void> => {
  const ids = { productId, storeId: 'm-1', timestamp: now() };
  await storeEvent(connection, 'product.price_updated', ['m-1', productId], { ...ids, price, previous: price });
  await storeEvent(connection, 'product.stock_updated', ['m-1', productId], { ...ids, stock: 50, previous: 50 });
};

test('an order is placed, shows on the screen of the shop, and its statuses on that of the customer', async ({
  connection,
  run,
  device,
}) => {
  await sell(connection, 'p-1', 50);
  await run('orders');
  const phone = await (await device(customer('u-1'))).watch('user:u-1');
  const shop = await (await device(merchant)).watch('merchant:m-1');

  await phone.does('order.place', { merchantId: 'm-1', items: [{ productId: 'p-1', quantity: 2 }] });

  const placed = (): Record<string, unknown>[] => shop.shows('merchant:m-1', 'order.created');
  await shop.until('the order', () => placed().length === 1);
  const orderId = String(placed()[0]!['orderId']);
  expect(placed()[0]).toMatchObject({
    userId: 'u-1',
    merchantId: 'm-1',
    total: 100,
    customer: { name: 'Name of u-1' },
  });
  await phone.watch(`order:${orderId}`);
  for (const status of ['confirmed', 'preparing']) await shop.does('order.update_status', { orderId, status });
  await phone.until('both statuses', () => phone.shows(`order:${orderId}`, 'order.status_changed').length >= 2);
  expect(phone.shows('user:u-1', 'order.status_changed').slice(-2)).toMatchObject([
    { orderId, status: 'confirmed' },
    { orderId, status: 'preparing', previousStatus: 'confirmed' },
  ]);

  // What the service refuses comes back to the one who asked, by the command's id.
  const commandId = 'too-early';
  await shop.watch('user:owner-1');
  await shop.sdk.client.send('order.update_status', { orderId, status: 'delivered' }, { commandId });
  await shop.until('the rejection', () => shop.shows('user:owner-1', 'command.rejected').length === 1);
  expect(shop.shows('user:owner-1', 'command.rejected')[0]).toMatchObject({ commandId, code: 'illegal_transition' });
});

test('a chat on two devices of one customer and on the screen of an agent is one and the same', async ({
  run,
  device,
}) => {
  await run('chat');
  const channel = 'chat:chat-u-1';
  const phone = await (await device(customer('u-1'))).watch(channel);
  const tablet = await (await device(customer('u-1'))).watch(channel);
  const agent = await (await device({ sub: 'a-1', role: 'agent', name: 'Asha' })).watch(channel);
  const texts = (screen: Screen): unknown[] => screen.shows(channel, 'chat.message').map(({ text }) => text);

  await phone.does('chat.send_message', { chatId: 'chat-u-1', message: '  Where is my order?  ' });
  await agent.until('the question', () => texts(agent).length === 1);
  await agent.does('chat.send_message', { chatId: 'chat-u-1', message: 'At the door <b>now</b>' });
  tablet.sdk.client.close();
  await phone.until('the answer', () => texts(phone).length === 2);
  await phone.does('chat.read', {
    chatId: 'chat-u-1',
    messageIds: phone.shows(channel, 'chat.message').map(({ messageId }) => messageId),
  });
  tablet.sdk.client.connect();

  for (const screen of [phone, tablet, agent]) {
    await screen.until('all of the chat', () => screen.shows(channel, 'chat.read').length > 0);
    expect(texts(screen)).toEqual(['Where is my order?', 'At the door <b>now</b>']);
    expect(screen.shows(channel, 'chat.message')).toMatchObject([
      { senderId: 'u-1', senderType: 'user', senderName: 'Name of u-1' },
      { senderId: 'a-1', senderType: 'agent', senderName: 'Asha' },
    ]);
    expect(screen.shows(channel, 'chat.read').at(-1)).toMatchObject({ readBy: 'u-1' });
  }
});

test('a cart is the same on two devices, whichever of them changes it', async ({ connection, run, device }) => {
  for (const productId of ['p-1', 'p-2']) await sell(connection, productId, 3);
  await run('cart');
  const channel = 'cart:cart-u-1';
  const phone = await (await device(customer('u-1'))).watch(channel);
  const tablet = await (await device(customer('u-1'))).watch(channel);
  const newest = (screen: Screen): Record<string, unknown> | undefined => screen.shows(channel, 'cart.sync').at(-1);

  await Promise.all([
    phone.does('cart.add_item', { productId: 'p-1', quantity: 2 }),
    tablet.does('cart.add_item', { productId: 'p-2' }),
  ]);
  await tablet.until('both items', () => newest(tablet)?.['totalItems'] === 3);
  const [item] = (newest(tablet)?.['items'] ?? []) as { id: string; productId: string }[];
  await tablet.does('cart.update_item', { itemId: item!.id, quantity: 5 });
  const total = item!.productId === 'p-1' ? 6 : 7;

  for (const screen of [phone, tablet])
    await screen.until('the change', () => newest(screen)?.['totalItems'] === total);
  expect(newest(phone)).toEqual(newest(tablet));
  expect(newest(phone)).toMatchObject({ userId: 'u-1', cartId: 'cart-u-1', totalPrice: total * 3 });
});

test('a post shows on the feeds of those who follow, and a like on that of its author', async ({ run, device }) => {
  await run('feed');
  const author = await (await device(customer('u-1'))).watch('feed:u-1', 'user:u-1');
  const followers = await Promise.all(
    ['u-2', 'u-3'].map(async (sub) => await (await device(customer(sub))).watch(`feed:${sub}`)),
  );
  const stranger = await (await device(customer('u-9'))).watch('feed:u-9');
  for (const follower of followers) await follower.does('feed.follow_user', { userId: 'u-1' });
  await author.until('both followers', () => author.shows('user:u-1', 'feed.user_followed').length === 2);

  await author.does('feed.create_post', { content: 'Look at this' });
  for (const [at, follower] of followers.entries()) {
    const posts = (): Record<string, unknown>[] => follower.shows(`feed:u-${at + 2}`, 'feed.new_post');
    await follower.until('the post', () => posts().length === 1);
    expect(posts()[0]).toMatchObject({ userId: 'u-1', userName: 'Name of u-1', content: 'Look at this' });
  }
  const [post] = followers[0]!.shows('feed:u-2', 'feed.new_post');
  await followers[0]!.does('feed.like_post', { postId: post!['postId'] });
  await author.until('the like', () => author.shows('feed:u-1', 'feed.post_liked').length === 1);

  expect(author.shows('feed:u-1', 'feed.post_liked')[0]).toMatchObject({ userId: 'u-2', totalLikes: 1 });
  expect(stranger.sdk.recorder.count('feed:u-9')).toBe(0);
});

test('coins that are earned move ranks on every screen, and answer a call', async ({ connection, run, device }) => {
  await run('leaderboard');
  const screens = [
    await (await device(customer('u-1'))).watch('leaderboard:daily', 'user:u-1'),
    await (await device(customer('u-7'))).watch('leaderboard:daily'),
  ];
  const [own] = screens as [Screen, Screen];
  const earn = (userId: string, amount: number): Promise<number> =>
    storeEvent(connection, 'wallet.balance_updated', [userId], {
      balances: { rezCoins: amount, brandedCoins: 0, promoCoins: 0, total: amount },
      change: { amount, type: 'rezCoins', operation: 'credit', reason: 'Order delivered' },
      timestamp: now(),
    });
  const board = (screen: Screen): string => {
    const newest = screen.shows('leaderboard:daily', 'leaderboard.update').at(-1);
    const entries = (newest?.['entries'] ?? []) as { rank: number; userId: string; coins: number }[];
    return entries.map(({ rank, userId, coins }) => `${rank} ${userId} ${coins}`).join();
  };

  await earn('u-2', 30);
  await earn('u-1', 20);
  for (const screen of screens) await screen.until('the first board', () => board(screen) === '1 u-2 30,2 u-1 20');
  await earn('u-1', 20);

  for (const screen of screens) await screen.until('the new board', () => board(screen) === '1 u-1 40,2 u-2 30');
  await own.until('the own rank', () =>
    own.shows('user:u-1', 'leaderboard.rank_change').some((one) => one['newRank'] === 1),
  );
  expect(await own.sdk.client.call('leaderboard.rank', { period: 'daily' })).toMatchObject({ rank: 1, coins: 40 });
});

// Chats, feeds, ranks and activities through a real server: commands as a gateway stores them, events as clients get them.
import type { NatsConnection } from '@nats-io/transport-node';
import { createGrants } from '@sluice/producers';
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { outcomeOf, readEvents, sendCommand, serviceTest as test, storeEvent } from '../kit/services.ts';

const timestamp = (): string => new Date().toISOString();

const follow = async (connection: NatsConnection, followers: readonly string[], followed: string): Promise<void> => {
  const sent = await Promise.all(
    followers.map((sub) => sendCommand(connection, 'feed.follow_user', { sub }, { userId: followed })),
  );
  for (const command of sent) await outcomeOf(connection, command);
};

const resultOf = async <T>(connection: NatsConnection, sent: Parameters<typeof outcomeOf>[1]): Promise<T> => {
  const outcome = await outcomeOf(connection, sent);
  expect(outcome.kind).toBe('applied');
  return outcome.payload['result'] as T;
};

describe('chat', () => {
  test('members speak, others are rejected by command id, and a revoked member is one of them', async ({
    connection,
    run,
  }) => {
    const grants = await createGrants({ connection });
    await grants.grant('chat:group-1', 'u-1');
    await grants.grant('chat:group-1', 'u-3', { expiresAt: new Date(Date.now() - 1_000) });
    await run('chat');
    const say = (sub: string, commandId: string) =>
      sendCommand(connection, 'chat.send_message', { sub }, { chatId: 'group-1', message: ' Hi ' }, commandId);

    const member = await outcomeOf(connection, await say('u-1', 'c-1'));
    const stranger = await outcomeOf(connection, await say('u-2', 'c-1'));
    const expired = await outcomeOf(connection, await say('u-3', 'c-1'));
    await grants.revoke('chat:group-1', 'u-1');
    const revoked = await outcomeOf(connection, await say('u-1', 'c-2'));

    expect([member, stranger, expired, revoked].map(({ kind }) => kind)).toEqual([
      'applied',
      ...['rejected', 'rejected', 'rejected'],
    ]);
    expect(revoked.payload).toMatchObject({ commandId: 'c-2', code: 'not_a_member' });
    const messages = await readEvents(connection, 'CHAT', 'chat.group-1.*.message');
    expect(messages.map(({ payload }) => payload)).toMatchObject([
      { chatId: 'group-1', senderId: 'u-1', senderType: 'user', text: 'Hi', commandId: 'c-1' },
    ]);
  });

  test('an agent who goes is seen to go in every support chat that they serve', async ({ connection, run }) => {
    await run('chat');
    const agent = { sub: 'a-1', role: 'agent', name: 'Asha' };
    for (const sub of ['u-1', 'u-2']) {
      const chatId = `chat-${sub}`;
      await outcomeOf(
        connection,
        await sendCommand(connection, 'chat.send_message', { sub }, { chatId, message: '?' }),
      );
      if (sub === 'u-2') continue;
      await outcomeOf(connection, await sendCommand(connection, 'chat.send_message', agent, { chatId, message: '!' }));
    }
    await storeEvent(connection, 'user.offline', ['a-1'], { userId: 'a-1', timestamp: timestamp() });

    const statuses = () => readEvents(connection, 'CHAT', 'chat.*.a-1.agent_status');
    await eventually(async () => (await statuses()).length >= 2);
    const told = (await statuses()).map(
      ({ subject, payload }) => `${subject.split('.')[1]} ${String(payload['status'])}`,
    );
    expect(told).toEqual(['chat-u-1 online', 'chat-u-1 offline']);
  });
});

test('a post, its likes and comments reach every follower once, in order', async ({ connection, run }) => {
  await run('feed');
  const followers = ['u-2', 'u-3', 'u-4'];
  await follow(connection, followers, 'u-1');
  const posted = await sendCommand(connection, 'feed.create_post', { sub: 'u-1' }, { content: 'Hello' });
  const { postId } = await resultOf<{ postId: string }>(connection, posted);
  const likes = ['u-2', 'u-3', 'u-2'].map((sub) => sendCommand(connection, 'feed.like_post', { sub }, { postId }));
  for (const like of await Promise.all(likes)) await resultOf(connection, like);
  const comment = await sendCommand(connection, 'feed.comment_post', { sub: 'u-9' }, { postId, comment: 'Nice' });
  await resultOf(connection, comment);

  const timeline = async (userId: string): Promise<string[]> =>
    (await readEvents(connection, 'SOCIAL', `feed.${userId}.${postId}.*`)).map(({ subject, payload }) => {
      const type = subject.split('.')[3]!;
      return type === 'post_liked' ? `${type} ${String(payload['totalLikes'])}` : type;
    });
  const whole = ['new_post', 'post_liked 1', 'post_liked 2', 'post_commented'];
  for (const userId of ['u-1', ...followers]) {
    await eventually(async () => (await timeline(userId)).length >= whole.length, {
      what: `the timeline of ${userId}`,
    });
    expect(await timeline(userId)).toEqual(whole);
  }
  expect(await timeline('u-9')).toEqual([]);
});

test('coins make ranks: who is overtaken is told, and the board shows it', async ({ connection, run }) => {
  await run('leaderboard');
  const earn = (userId: string, amount: number) =>
    storeEvent(connection, 'wallet.balance_updated', [userId], {
      balances: { rezCoins: amount, brandedCoins: 0, promoCoins: 0, total: amount },
      change: { amount, type: 'rezCoins', operation: 'credit', reason: 'Order delivered' },
      timestamp: timestamp(),
    });
  const board = async (): Promise<string[]> => {
    const last = (await readEvents(connection, 'SOCIAL', 'leaderboard.daily.everyone.update')).at(-1);
    const entries = (last?.payload['entries'] ?? []) as { rank: number; userId: string; coins: number }[];
    return entries.map(({ rank, userId, coins }) => `${rank} ${userId} ${coins}`);
  };
  await earn('u-1', 50);
  await earn('u-2', 30);
  await eventually(async () => (await board()).join() === '1 u-1 50,2 u-2 30');
  await earn('u-2', 40);
  await eventually(async () => (await board()).join() === '1 u-2 70,2 u-1 50');

  const changes = await readEvents(connection, 'SOCIAL', 'leaderboard.daily.*.rank_change');
  const newest = changes.slice(-2).map(({ payload }) => payload);
  expect(newest).toMatchObject([
    { userId: 'u-2', oldRank: 2, newRank: 1, rankChange: 1 },
    { userId: 'u-1', oldRank: 1, newRank: 2, rankChange: -1 },
  ]);
});

test('whoever joins twice counts once, through two copies at once too', async ({ connection, run }) => {
  await Promise.all([run('activities', false), run('activities', false)]);
  const planned = await sendCommand(connection, 'activity.create', { sub: 'u-1' }, { title: 'Walk' });
  const { activityId } = await resultOf<{ activityId: string }>(connection, planned);
  const subs = ['u-2', 'u-3', 'u-4', 'u-5'].flatMap((sub) => [sub, sub, sub]);
  const sent = await Promise.all(subs.map((sub) => sendCommand(connection, 'activity.join', { sub }, { activityId })));
  for (const command of sent) expect((await outcomeOf(connection, command)).kind).toBe('applied');

  const joined = await readEvents(connection, 'SOCIAL', `activity.${activityId}.*.user_joined`);
  expect(joined.map(({ payload }) => payload['participantCount'])).toEqual([2, 3, 4, 5]);
  await eventually(async () => {
    const [last] = (await readEvents(connection, 'SOCIAL', `activity.${activityId}.u-1.updated`)).slice(-1);
    return last?.payload['participantCount'] === 5;
  });
});

describe('notifications and the dashboard', () => {
  const placed = {
    ...{ orderId: 'o-1', orderNumber: 'RZ-1', merchantId: 'm-1', userId: 'u-1' },
    ...{ customer: { name: 'Asha', phone: '+91' }, items: 2, total: 300, type: 'delivery' },
  };

  test('a push is asked for only for those who are not connected', async ({ connection, run }) => {
    await run('notifications');
    await storeEvent(connection, 'user.online', ['u-2'], { userId: 'u-2', timestamp: timestamp() });
    for (const userId of ['u-1', 'u-2']) {
      const payload = { orderId: 'o-1', status: 'delivered', timestamp: timestamp() };
      await storeEvent(connection, 'order.status_changed', ['m-1', userId, 'o-1'], payload);
    }
    const subjects = async () => (await readEvents(connection, 'USER', 'notification.>')).map(({ subject }) => subject);
    await eventually(async () => (await subjects()).length >= 3);
    expect((await subjects()).sort()).toEqual([
      'notification.u-1.created',
      'notification.u-1.push_requested',
      'notification.u-2.created',
    ]);
  });

  // All of them under one guard.
  const ORDERS = 100;

  test('every order is news once, and the figures count it', async ({ connection, run }) => {
    await Promise.all([run('dashboard', false), run('dashboard', false)]);
    for (let number = 1; number <= ORDERS; number++) {
      const keys = { merchantId: `m-${number % 3}`, userId: `u-${number}`, orderId: `o-${number}` };
      const payload = { ...placed, ...keys, createdAt: timestamp() };
      await storeEvent(connection, 'order.created', Object.values(keys), payload);
    }
    const news = async () =>
      (await readEvents(connection, 'DASHBOARD', 'dashboard.city.new_order')).map(({ payload }) => payload['orderId']);
    await eventually(async () => (await news()).length >= ORDERS);
    expect((await news()).sort()).toEqual(Array.from({ length: ORDERS }, (_, index) => `o-${index + 1}`).sort());
    const stats = await eventually(async () =>
      (await readEvents(connection, 'DASHBOARD', 'dashboard.city.stats')).at(-1),
    );
    expect(Object.keys(stats.payload)).toEqual(expect.arrayContaining(['todayOrders', 'activeUsers']));
  });
});

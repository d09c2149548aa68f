// A feed that dies in the middle of a fan-out: every follower gets every post exactly once, whoever writes it.
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { readEvents, sendCommand, serviceTest as test, startServiceProcess, storeEvent } from '../kit/services.ts';

const FOLLOWERS = 400;
const POSTS = 4;

test('two copies, the one at work is killed mid fan-out, again and again', async ({ nats, connection }) => {
  const followers = Array.from({ length: FOLLOWERS }, (_, index) => `u-${index + 2}`);
  await Promise.all(
    followers.map((followerId) =>
      storeEvent(connection, 'feed.user_followed', ['u-1', followerId], {
        ...{ followerId, followerName: followerId, followedId: 'u-1', followedName: 'u-1' },
        timestamp: new Date().toISOString(),
      }),
    ),
  );
  const written = async (): Promise<string[]> =>
    (await readEvents(connection, 'SOCIAL', 'feed.*.*.new_post')).map(({ subject }) => subject);
  const copies = [await startServiceProcess(nats.url, 'feed'), await startServiceProcess(nats.url, 'feed')];
  try {
    for (let post = 0; post < POSTS; post++) {
      const before = (await written()).length;
      await sendCommand(connection, 'feed.create_post', { sub: 'u-1' }, { content: `Post ${post}` });
      await eventually(async () => (await written()).length > before, { timeoutMs: 30_000, intervalMs: 5 });
      // Which of the two is at work nobody knows: each has its turn to die.
      const victim = post % copies.length;
      await copies[victim]!.kill();
      copies[victim] = await startServiceProcess(nats.url, 'feed');
    }
    const total = POSTS * (FOLLOWERS + 1);
    await eventually(async () => (await written()).length >= total, { timeoutMs: 90_000, intervalMs: 200 });

    const subjects = await written();
    expect(subjects).toHaveLength(total);
    expect(new Set(subjects).size).toBe(total);
    const timelines = new Set(subjects.map((subject) => subject.split('.')[1]));
    expect(timelines).toEqual(new Set(['u-1', ...followers]));
  } finally {
    await Promise.all(copies.map((copy) => copy.stop()));
  }
}, 180_000);

import { expect, test } from 'vitest';
import { Bench, user } from '../service.fixture.ts';
import { feedService } from './service.ts';

const befriended = () => {
  const bench = new Bench(feedService);
  for (const fan of ['u-2', 'u-3']) bench.send(user(fan), 'feed.follow_user', { userId: 'u-1' });
  return bench;
};

const postOf = (bench: ReturnType<typeof befriended>, sub = 'u-1', content = 'Hello'): string =>
  (bench.send(user(sub), 'feed.create_post', { content }) as { result: { postId: string } }).result.postId;

const timelines = (bench: ReturnType<typeof befriended>, type: 'feed.new_post' | 'feed.post_liked'): string[] =>
  bench.of(type).map(({ keys }) => keys.userId);

test('a post goes to its author and to every follower of that moment, once each', () => {
  const bench = befriended();
  postOf(bench);
  bench.send(user('u-4'), 'feed.follow_user', { userId: 'u-1' });
  expect(timelines(bench, 'feed.new_post')).toEqual(['u-1', 'u-2', 'u-3']);
});

test('likes and comments go to every timeline that carries the post, counted', () => {
  const bench = befriended();
  const postId = postOf(bench);
  bench.send(user('u-4'), 'feed.follow_user', { userId: 'u-1' });
  bench.send(user('u-9'), 'feed.like_post', { postId });
  bench.send(user('u-2'), 'feed.like_post', { postId });
  bench.send(user('u-9'), 'feed.comment_post', { postId, comment: ' Nice\u0000 ' });

  expect(timelines(bench, 'feed.post_liked')).toEqual(['u-1', 'u-2', 'u-3', 'u-1', 'u-2', 'u-3']);
  expect(bench.of('feed.post_liked').map(({ payload }) => payload.totalLikes)).toEqual([1, 1, 1, 2, 2, 2]);
  expect(bench.of('feed.post_commented').map(({ payload }) => payload.comment)).toEqual(['Nice', 'Nice', 'Nice']);
});

test('liking twice and following twice change nothing and are no faults', () => {
  const bench = befriended();
  const postId = postOf(bench);
  bench.send(user('u-2'), 'feed.like_post', { postId });
  const before = bench.events.length;

  expect(bench.send(user('u-2'), 'feed.like_post', { postId })).toMatchObject({ result: { totalLikes: 1 } });
  expect(bench.send(user('u-2'), 'feed.follow_user', { userId: 'u-1' })).toMatchObject({ kind: 'applied' });
  expect(bench.events.length).toBe(before);
});

test('refused: a post that is not there, no text, http images, following oneself', () => {
  const bench = befriended();
  const verdicts = [
    bench.send(user('u-2'), 'feed.like_post', { postId: 'post-none' }),
    bench.send(user('u-2'), 'feed.create_post', { content: ' \u0007 ' }),
    bench.send(user('u-2'), 'feed.create_post', { content: 'x', images: ['http://example.org/a.png'] }),
    bench.send(user('u-2'), 'feed.follow_user', { userId: 'u-2' }),
  ];
  const codes = verdicts.map((verdict) => (verdict.kind === 'rejected' ? verdict.code : 'applied'));
  expect(codes).toEqual(['unknown_post', 'empty_text', 'invalid_image', 'cannot_follow_self']);
});

test('names come from tokens; one without a name is called by its sub', () => {
  const bench = befriended();
  bench.send({ sub: 'u-7', role: 'customer' }, 'feed.create_post', { content: 'x' });
  expect(bench.of('feed.user_followed')[0]?.payload.followerName).toBe('Name of u-2');
  expect(bench.of('feed.new_post')[0]?.payload.userName).toBe('u-7');
});

test('only the copy on the sender´s own timeline carries the command´s id', () => {
  const bench = befriended();
  const postId = postOf(bench);
  const payload = {
    postId,
    likeId: 'l',
    userId: 'u-2',
    userName: 'N',
    totalLikes: 1,
    timestamp: '2026-01-01T00:00:00Z',
  };
  const keys = { userId: 'u-1', itemId: postId };
  bench.happen({ type: 'feed.post_liked', keys, payload: { ...payload, commandId: 'c-77' } });
  const copies = bench.of('feed.post_liked').map((event) => [event.keys.userId, event.payload.commandId]);
  expect(copies).toEqual([
    ['u-1', 'c-77'],
    ['u-2', 'c-77'],
    ['u-3', undefined],
  ]);
});

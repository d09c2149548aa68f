// The feed: posts, likes, comments and follows, each written to its author's timeline first and from there to the timeline
// of everyone who carries the post. Knows no streams.
import { rez } from '@sluice/schemas';
import {
  applied,
  type Consequence,
  type DecisionContext,
  defineService,
  type NewEvent,
  type PastEvent,
  rejected,
  type ServiceCommand,
  type ServiceCommandOf,
  type ServiceDefinition,
  type Verdict,
} from '../../service/definition.ts';
import { nameOfActor } from '../actor-name.ts';
import { cleanText, cleanUrl } from '../text.ts';
import { isStory, noTimelines, type StoryEvent, Timelines, type TimelinesData } from './timelines.ts';

const MAX_POST_LENGTH = 5_000;
const MAX_COMMENT_LENGTH = 2_000;

const decide = (data: TimelinesData, command: ServiceCommand, context: DecisionContext): Verdict => {
  const state = new Timelines(data);
  switch (command.name) {
    case 'feed.create_post':
      return createPost(command, context);
    case 'feed.like_post':
      return likePost(state, command, context);
    case 'feed.comment_post':
      return commentPost(state, command, context);
    case 'feed.follow_user':
      return followUser(state, command, context);
    default:
      return rejected('unknown_command', command.name);
  }
};

const createPost = (
  { actor, data }: ServiceCommandOf<'feed.create_post'>,
  { id, timestamp }: DecisionContext,
): Verdict => {
  const content = cleanText(data.content, MAX_POST_LENGTH);
  if (!content.ok) return rejected(content.code, content.reason);
  const images = data.images?.map(cleanUrl);
  if (images?.some((url) => url === undefined)) return rejected('invalid_image', 'Images are https addresses');
  const postId = id('post');
  const payload = {
    ...{ postId, userId: actor.sub, userName: nameOfActor(actor), content: content.text },
    ...(images && images.length > 0 && { images: images as string[] }),
    timestamp,
  };
  const keys = { userId: actor.sub, itemId: postId };
  return applied([{ type: 'feed.new_post', keys, payload }], { result: { postId } });
};

const likePost = (
  state: Timelines,
  { actor, data }: ServiceCommandOf<'feed.like_post'>,
  { id, timestamp }: DecisionContext,
): Verdict => {
  const post = state.post(data.postId);
  if (!post) return unknownPost(data.postId);
  // Liked already: what was asked for is so.
  if (post.likers.has(actor.sub)) return applied([], { result: { totalLikes: post.likers.size } });
  const totalLikes = post.likers.size + 1;
  const payload = {
    ...{ postId: post.postId, likeId: id('like'), userId: actor.sub, userName: nameOfActor(actor) },
    ...{ totalLikes, timestamp },
  };
  const keys = { userId: post.authorId, itemId: post.postId };
  return applied([{ type: 'feed.post_liked', keys, payload }], { result: { totalLikes } });
};

const commentPost = (
  state: Timelines,
  { actor, data }: ServiceCommandOf<'feed.comment_post'>,
  { id, timestamp }: DecisionContext,
): Verdict => {
  const post = state.post(data.postId);
  if (!post) return unknownPost(data.postId);
  const comment = cleanText(data.comment, MAX_COMMENT_LENGTH);
  if (!comment.ok) return rejected(comment.code, comment.reason);
  const commentId = id('comment');
  const totalComments = post.comments + 1;
  const payload = {
    ...{ postId: post.postId, commentId, userId: actor.sub, userName: nameOfActor(actor) },
    ...{ comment: comment.text, totalComments, timestamp },
  };
  const keys = { userId: post.authorId, itemId: post.postId };
  return applied([{ type: 'feed.post_commented', keys, payload }], { result: { commentId, totalComments } });
};

const followUser = (
  state: Timelines,
  { actor, data }: ServiceCommandOf<'feed.follow_user'>,
  { timestamp }: DecisionContext,
): Verdict => {
  const followedId = data.userId;
  if (followedId === actor.sub) return rejected('cannot_follow_self', 'Nobody follows themselves');
  if (state.isFollowing(actor.sub, followedId)) return applied([]);
  const payload = {
    ...{ followerId: actor.sub, followerName: nameOfActor(actor) },
    ...{ followedId, followedName: state.nameOf(followedId), timestamp },
  };
  return applied([{ type: 'feed.user_followed', keys: { userId: followedId, itemId: actor.sub }, payload }]);
};

const unknownPost = (postId: string): Verdict => rejected('unknown_post', `There is no post ${postId}`);

/** One consequence per timeline, each with an identity: a fan-out that was cut short goes on where it stopped. */
const react = (data: TimelinesData, event: PastEvent): readonly Consequence[] => {
  const state = new Timelines(data);
  if (!isStory(event) || !state.isTold(event)) return [];
  const { carriers = [] } = state.post(event.payload.postId) ?? {};
  return carriers.map((userId) => ({ key: userId, events: [copyFor(userId, event)] }));
};

/** Whose command it was concerns the sender alone: the id lets them replace their own optimistic entry. */
const copyFor = (userId: string, { type, keys, payload }: StoryEvent): NewEvent => {
  const { commandId, ...rest } = payload;
  const isSender = payload.userId === userId && commandId !== undefined;
  return {
    type,
    keys: { ...keys, userId },
    payload: isSender ? { ...rest, commandId } : rest,
  } as NewEvent;
};

export const feedService: ServiceDefinition<TimelinesData> = defineService({
  name: 'feed',
  catalogue: rez,
  reads: ['feed'],
  commands: ['feed.create_post', 'feed.like_post', 'feed.comment_post', 'feed.follow_user'],
  snapshotVersion: 1,
  initial: noTimelines,
  fold: (data, event) => new Timelines(data).fold(event),
  decide,
  // Likes and comments of one post are counted; waiting in line is cheaper than losing the race for the next number.
  lane: ({ data, actor }) => ('postId' in data ? data.postId : actor.sub),
  reactsTo: ['feed.new_post', 'feed.post_liked', 'feed.post_commented'],
  react,
});

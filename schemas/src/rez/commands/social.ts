// Posts and activities.
import { Type } from 'typebox';
import { command } from '../../catalogue/define.ts';
import { Timestamp } from '../fields.ts';
import { HttpsUrl, ObjectId, textField } from './fields.ts';

const MAX_IMAGES = 10;

const createPost = command({
  name: 'feed.create_post',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({
    content: textField(5_000),
    images: Type.Optional(Type.Array(HttpsUrl, { maxItems: MAX_IMAGES })),
  }),
});

const likePost = command({
  name: 'feed.like_post',
  roles: 'any',
  // A second like of the same user is the first one.
  offline: 'commutative',
  schema: Type.Object({ postId: ObjectId }),
});

const commentPost = command({
  name: 'feed.comment_post',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({ postId: ObjectId, comment: textField(2_000) }),
});

const followUser = command({
  name: 'feed.follow_user',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({ userId: ObjectId }),
});

const createActivity = command({
  name: 'activity.create',
  roles: 'any',
  offline: 'commutative',
  schema: Type.Object({
    title: textField(200),
    description: Type.Optional(textField(2_000)),
    startsAt: Type.Optional(Timestamp),
  }),
});

const OneActivity = Type.Object({ activityId: ObjectId });

const join = command({ name: 'activity.join', roles: 'any', offline: 'last_wins', schema: OneActivity });
const leave = command({ name: 'activity.leave', roles: 'any', offline: 'last_wins', schema: OneActivity });
const like = command({ name: 'activity.like', roles: 'any', offline: 'last_wins', schema: OneActivity });
const unlike = command({ name: 'activity.unlike', roles: 'any', offline: 'last_wins', schema: OneActivity });

export const feedCommands = [createPost, likePost, commentPost, followUser] as const;
export const activityCommands = [createActivity, join, leave, like, unlike] as const;

// Timelines: a service writes what friends do to the timeline of each who follows them.
import { Type } from 'typebox';
import { family, moment } from '../catalogue/define.ts';
import { CausedBy, Count, Id, Name, Timestamp, Url } from './fields.ts';
import { SOCIAL } from './streams.ts';

export const feed = family({
  name: 'feed',
  /** `userId`: whose timeline. `itemId`: the post, or the follower. */
  subject: 'feed.{userId}.{itemId}',
  stream: SOCIAL,
  guard: { placeholders: { userId: ['sub'] } },
  types: {
    new_post: moment(
      Type.Object({
        postId: Id,
        userId: Id,
        userName: Name,
        userAvatar: Type.Optional(Url),
        content: Type.String({ maxLength: 5_000 }),
        images: Type.Optional(Type.Array(Url, { maxItems: 10 })),
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
    post_liked: moment(
      Type.Object({
        postId: Id,
        likeId: Id,
        userId: Id,
        userName: Name,
        totalLikes: Count,
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
    post_commented: moment(
      Type.Object({
        postId: Id,
        commentId: Id,
        userId: Id,
        userName: Name,
        userAvatar: Type.Optional(Url),
        comment: Type.String({ maxLength: 2_000 }),
        totalComments: Count,
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
    user_followed: moment(
      Type.Object({
        followerId: Id,
        followerName: Name,
        followedId: Id,
        followedName: Name,
        timestamp: Timestamp,
        ...CausedBy,
      }),
    ),
  },
});

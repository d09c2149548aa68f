// Group activities: what is planned, who comes, who likes it.
import { Type } from 'typebox';
import { family, moment, state } from '../catalogue/define.ts';
import { CausedBy, Count, Id, Timestamp } from './fields.ts';
import { SOCIAL } from './streams.ts';

const Activity = Type.Object({
  id: Id,
  title: Type.String({ maxLength: 200 }),
  hostId: Type.Optional(Id),
  startsAt: Type.Optional(Timestamp),
  participantCount: Type.Optional(Count),
  likeCount: Type.Optional(Count),
  ...CausedBy,
});

const Participation = Type.Object({ activityId: Id, userId: Id, participantCount: Count, ...CausedBy });
const Like = Type.Object({ activityId: Id, userId: Id, likeCount: Count, ...CausedBy });

export const activity = family({
  name: 'activity',
  /** `userId`: the host, or whoever joined, left or liked. */
  subject: 'activity.{activityId}.{userId}',
  stream: SOCIAL,
  types: {
    created: state(Activity),
    updated: state(Activity),
    deleted: state(Type.Object({ activityId: Id, ...CausedBy })),
    user_joined: moment(Participation),
    user_left: moment(Participation),
    like_added: moment(Like),
    like_removed: moment(Like),
  },
});

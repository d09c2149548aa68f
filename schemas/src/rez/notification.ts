// What a user or a merchant is to notice.
import { Type } from 'typebox';
import { ephemeral, family, moment } from '../catalogue/define.ts';
import { Id, Timestamp, Url } from './fields.ts';
import { USER } from './streams.ts';

const Notification = {
  notificationId: Id,
  title: Type.String({ maxLength: 200 }),
  body: Type.String({ maxLength: 2_000 }),
  deepLink: Type.Optional(Url),
  timestamp: Timestamp,
};

export const notification = family({
  name: 'notification',
  /** A user or a merchant. */
  subject: 'notification.{recipientId}',
  stream: USER,
  guard: { placeholders: { recipientId: ['sub', 'merchantId'] } },
  types: {
    created: moment(Type.Object(Notification)),
    /** For a sender of pushes to phones; no channel carries it. */
    push_requested: moment(Type.Object({ ...Notification, userId: Type.Optional(Id) })),
    /** `type`: `new_order`, and whatever else an app has a sound for. */
    sound: ephemeral(Type.Object({ type: Type.String({ minLength: 1, maxLength: 64 }) })),
  },
});

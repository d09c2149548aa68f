// Who else is on a channel, for channels that tell.
import { Type } from 'typebox';
import { ChannelName, RequestId, Text } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

/** Asks for the members of a channel that this connection is subscribed to. Answered by `presence` or `error`. */
export const presenceQuery = defineFrame('presence_query', 9, { id: RequestId, channel: ChannelName });
export type PresenceQuery = FrameOf<typeof presenceQuery>;

export const presence = defineFrame('presence', 14, {
  id: RequestId,
  channel: ChannelName,
  /** Users, not devices, over all pods. */
  count: Type.Integer({ minimum: 0 }),
  /** Their subs, sorted; absent where the channel tells only how many. */
  members: Type.Optional(Type.Array(Text)),
});
export type Presence = FrameOf<typeof presence>;

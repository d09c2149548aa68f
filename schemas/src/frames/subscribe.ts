// Subscribing. `subscribed` comes before any event of the channel, `live` after the last one that was caught up;
// `reset` replaces everything the client has folded so far: first events follow, then `live`.
import { Type } from 'typebox';
import { ChannelName, FirstEvents, PositionText, RequestId, StreamRefs, Text } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

export const subscribe = defineFrame('subscribe', 2, {
  id: RequestId,
  channel: ChannelName,
  position: Type.Optional(PositionText),
  /** Used where there is no position, and after a reset; the catalogue's choice for the channel if absent. */
  first: Type.Optional(FirstEvents),
});
export type Subscribe = FrameOf<typeof subscribe>;

export const unsubscribe = defineFrame('unsubscribe', 3, { id: RequestId, channel: ChannelName });
export type Unsubscribe = FrameOf<typeof unsubscribe>;

export const subscribed = defineFrame('subscribed', 2, {
  /** Of the subscribe; 0 for a channel that the gateway joined the client to: clients count from 1. */
  id: RequestId,
  /** Canonical name of the channel. */
  channel: ChannelName,
  streams: StreamRefs,
  /** Where the cursor stands now; streams that begin with a snapshot of states have no entry yet. */
  position: PositionText,
  /** True if every stream goes on from the client's own position. */
  recovered: Type.Boolean(),
});
export type Subscribed = FrameOf<typeof subscribed>;

/** Everything up to `position` has been sent: what follows is live. */
export const live = defineFrame('live', 4, { channel: ChannelName, position: PositionText });
export type Live = FrameOf<typeof live>;

export const reset = defineFrame('reset', 5, {
  channel: ChannelName,
  reason: Text,
  streams: StreamRefs,
  position: PositionText,
  /** First retained sequence, where the reason is `truncated`. */
  from: Type.Optional(Type.Integer()),
});
export type Reset = FrameOf<typeof reset>;

/** The gateway ended the subscription (or confirms an unsubscribe, with the client's request id and no code). */
export const unsubscribed = defineFrame('unsubscribed', 8, {
  channel: ChannelName,
  code: Type.Optional(Text),
  id: Type.Optional(RequestId),
});
export type Unsubscribed = FrameOf<typeof unsubscribed>;

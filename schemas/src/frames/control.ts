// Frames about the connection itself.
import { Type } from 'typebox';
import { RequestId, Text } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

/** Answers a ping. Any frame proves life; a pong is sent when there is nothing else to say. */
export const pong = defineFrame('pong', 5, {});
export type Pong = FrameOf<typeof pong>;

/**
 * Proof of life, with heads: per stream `[epoch, sequence, timeMs]` at or below which nothing is owed to any
 * subscription of this connection, so that a position does not age while its channel is quiet.
 */
export const ping = defineFrame('ping', 11, {
  heads: Type.Array(Type.Tuple([Type.String(), Type.Integer(), Type.Integer()])),
});
export type Ping = FrameOf<typeof ping>;

export const okReply = defineFrame('ok', 6, {
  id: RequestId,
  /** Answers `auth`: milliseconds until the fresh token expires; absent if it does not. */
  expiresInMs: Type.Optional(Type.Integer()),
  /** Answers `command`: where it is stored. */
  sequence: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Answers `command`: it was stored before, at that sequence. */
  isDuplicate: Type.Optional(Type.Boolean()),
});
export type OkReply = FrameOf<typeof okReply>;

export const error = defineFrame('error', 7, {
  code: Text,
  message: Text,
  /** The request that failed; absent where no request can be named. */
  id: Type.Optional(RequestId),
  channel: Type.Optional(Text),
  retryAfterMs: Type.Optional(Type.Integer()),
  /** With `refused`: why the service that was called would not, in words of its own. */
  refusal: Type.Optional(Type.Object({ code: Text, reason: Type.Optional(Text) })),
});
export type ErrorFrame = FrameOf<typeof error>;

/** The pod is going away: reconnect at a random moment within the window. */
export const drain = defineFrame('drain', 10, { withinMs: Type.Integer() });
export type Drain = FrameOf<typeof drain>;

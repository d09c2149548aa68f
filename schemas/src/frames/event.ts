// Events on their way to clients. A stored one is hot: the gateway writes it by hand (event-frame.ts), this is its definition.
import { Type } from 'typebox';
import { ChannelName } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

export const event = defineFrame('event', 3, {
  /** Which stream of which channel: the integer from `subscribed`. */
  ref: Type.Integer({ minimum: 0 }),
  sequence: Type.Integer({ minimum: 0 }),
  /** Store time in ms since 1970, by the clock of the NATS server. */
  timeMs: Type.Integer({ minimum: 0 }),
  type: Type.String(),
  data: Type.Unknown(),
});
export type Event = FrameOf<typeof event>;

/** An event that is not stored: no sequence, never a position, and nobody who was away learns of it. */
export const ephemeral = defineFrame('ephemeral', 12, {
  channel: ChannelName,
  type: Type.String(),
  data: Type.Unknown(),
});
export type Ephemeral = FrameOf<typeof ephemeral>;

// A stored event on its way to clients. Hot: the gateway writes it by hand (event-frame.ts), this is its definition.
import { Type } from 'typebox';
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

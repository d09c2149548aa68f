// Field schemas that several frames share.
import { Type } from 'typebox';

const bounded = (maxLength: number) => Type.String({ maxLength });

export const RequestId = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
/** Of a channel's name; no gateway reads a longer one. */
export const MAX_CHANNEL_CHARS = 512;
export const ChannelName = bounded(MAX_CHANNEL_CHARS);
export const Token = bounded(16_384);
export const PositionText = bounded(4_096);
export const Text = bounded(1_024);
/**
 * A payload of the catalogue: validated by its schema, not here. A record would be gone through key by key: a client may
 * send tens of thousands.
 */
export const Data = Type.Unsafe<Record<string, unknown>>(Type.Object({}));

/** Where a subscription without a (usable) position starts. Durations, not times: the clocks of phones are wrong. */
export const FirstEvents = Type.Union([
  Type.Literal('states'),
  Type.Literal('all'),
  Type.Literal('none'),
  Type.Object({ last: Type.Integer({ minimum: 1, maximum: 10_000 }) }),
  Type.Object({ sinceMs: Type.Integer({ minimum: 0, maximum: 10 * 365 * 86_400_000 }) }),
]);
export type FirstEvents = Type.Static<typeof FirstEvents>;

/** `[ref, epoch]` per stream of a channel: `ref` is the small integer that event frames carry. */
export const StreamRefs = Type.Array(Type.Tuple([Type.Integer({ minimum: 0 }), bounded(32)]));
export type StreamRefs = Type.Static<typeof StreamRefs>;

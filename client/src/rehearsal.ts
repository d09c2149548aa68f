// What a gateway would make of a request, before it is sent: one that it cannot read, or that is too long, would end the
// connection, and a queued one would end every connection after it. Knows the wire; sends nothing.
import { decodeWire, encodeFrame, type Call, type Command, type Encoding, type PresenceQuery } from '@sluice/schemas';

export interface Rehearsed {
  /** On the wire. */
  readonly bytes: number;
  /** A copy, as the gateway reads it: what the application changes later is not sent. Undefined for a frame without any. */
  readonly data: Record<string, unknown>;
}

/** Where the data is in the wire's array. */
const DATA_AT = { command: 4, call: 3, presence_query: 3 } as const;

/** Throws for what has no form on the wire, or one that a gateway cannot read: nested too deeply, half a character. */
export const rehearse = (frame: Command | Call | PresenceQuery, encoding: Encoding): Rehearsed => {
  const message = encodeFrame(frame, encoding);
  const decoded = decodeWire(message, encoding);
  if (!decoded.ok) throw new TypeError('not readable on the wire');
  return { bytes: message.length, data: decoded.value[0]?.[DATA_AT[frame.kind]] as Record<string, unknown> };
};

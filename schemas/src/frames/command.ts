// What a client does, as opposed to what it watches: commands are stored before they are acknowledged, calls are answered.
import { Type } from 'typebox';
import { Data, RequestId, Text } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

/** Stored once per (user, name, commandId) for 26 hours, however often it is sent. Answered by `ok` or `error`. */
export const command = defineFrame('command', 6, {
  id: RequestId,
  /** The client's own name for what it does; a safe subject token, best a UUID. */
  commandId: Text,
  /** `chat.send_message` */
  name: Text,
  data: Data,
});
export type Command = FrameOf<typeof command>;

/** Request and reply with a service; nothing is stored. Answered by `result` or `error`. */
export const call = defineFrame('call', 7, {
  id: RequestId,
  name: Text,
  data: Data,
  /** Less than the catalogue's, if the client has less patience. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
});
export type Call = FrameOf<typeof call>;

export const result = defineFrame('result', 13, { id: RequestId, data: Type.Unknown() });
export type CallResult = FrameOf<typeof result>;

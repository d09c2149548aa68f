// What members of a chat do.
import { Type } from 'typebox';
import { command } from '../../catalogue/define.ts';
import { messageAsText, typingStarts } from '../chat-legacy.ts';
import { HttpsUrl, ObjectId, textField } from './fields.ts';

const MAX_ATTACHMENTS = 10;
const MAX_READ_AT_ONCE = 200;

const sendMessage = command({
  name: 'chat.send_message',
  roles: 'any',
  offline: 'commutative',
  aliases: [{ name: 'chat:send_message' }, { name: 'message:send', ...messageAsText }],
  schema: Type.Object({
    chatId: ObjectId,
    message: textField(4_000),
    attachments: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.Union([Type.Literal('image'), Type.Literal('file')]),
          url: HttpsUrl,
          name: Type.Optional(textField(200)),
        }),
        { maxItems: MAX_ATTACHMENTS },
      ),
    ),
  }),
});

const read = command({
  name: 'chat.read',
  roles: 'any',
  offline: 'commutative',
  aliases: [{ name: 'chat:read' }],
  schema: Type.Object({
    chatId: ObjectId,
    messageIds: Type.Array(ObjectId, { minItems: 1, maxItems: MAX_READ_AT_ONCE }),
  }),
});

const typing = command({
  name: 'chat.typing',
  roles: 'any',
  offline: 'never_queued',
  aliases: [{ name: 'chat:typing' }, { name: 'typing:start', ...typingStarts }],
  schema: Type.Object({ chatId: ObjectId, isTyping: Type.Boolean() }),
  effect: {
    type: 'chat.typing',
    channel: 'chat:{chatId}',
    keys: { chatId: { field: 'chatId' }, userId: { claim: 'sub' } },
    data: {
      chatId: { field: 'chatId' },
      userId: { claim: 'sub' },
      userName: { claim: 'name' },
      isTyping: { field: 'isTyping' },
      timestamp: 'now',
    },
    atEnd: { isTyping: false },
  },
});

export const chatCommands = [sendMessage, read, typing] as const;

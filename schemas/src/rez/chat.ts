// Chats: with support, with a restaurant, between those who order together.
import { Type } from 'typebox';
import { ephemeral, family, moment, state } from '../catalogue/define.ts';
import { readsPerMessage } from './chat-legacy.ts';
import { Attachment, CausedBy, Id, Name, Timestamp } from './fields.ts';
import { AGENT } from './roles.ts';
import { CHAT } from './streams.ts';

export const chat = family({
  name: 'chat',
  /** `userId`: who wrote, read, types; or the agent. */
  subject: 'chat.{chatId}.{userId}',
  stream: CHAT,
  guard: { placeholders: { chatId: ['sub'] }, exempt: [AGENT] },
  types: {
    message: moment(
      Type.Object({
        messageId: Id,
        chatId: Id,
        senderId: Id,
        senderName: Name,
        senderType: Type.Union([Type.Literal('user'), Type.Literal('agent')]),
        text: Type.String({ maxLength: 4_000 }),
        timestamp: Timestamp,
        attachments: Type.Optional(Type.Array(Attachment, { maxItems: 10 })),
        ...CausedBy,
      }),
      { aliases: ['chat:message', 'message:new'] },
    ),
    read: state(
      Type.Object({
        chatId: Id,
        messageIds: Type.Array(Id, { minItems: 1, maxItems: 500 }),
        readBy: Id,
        timestamp: Timestamp,
        ...CausedBy,
      }),
      { aliases: ['chat:read', { name: 'message:read', ...readsPerMessage }] },
    ),
    agent_status: state(
      Type.Object({
        agentId: Id,
        agentName: Name,
        status: Type.Union([Type.Literal('online'), Type.Literal('offline'), Type.Literal('away')]),
        timestamp: Timestamp,
      }),
      { aliases: ['chat:agent_status'] },
    ),
    typing: ephemeral(
      Type.Object({
        chatId: Id,
        userId: Id,
        /** Absent where the token names nobody. */
        userName: Type.Optional(Name),
        isTyping: Type.Boolean(),
        timestamp: Timestamp,
      }),
      { aliases: ['chat:typing'] },
    ),
  },
});

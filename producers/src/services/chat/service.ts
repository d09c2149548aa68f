// Chats: who may speak where, messages, receipts, and how the agents of open support chats are. Knows no streams.
import { type Actor, rez } from '@sluice/schemas';
import {
  applied,
  type Consequence,
  type DecisionContext,
  defineService,
  type NewEvent,
  type PastEvent,
  type Rejected,
  rejected,
  type ServiceCommand,
  type ServiceCommandOf,
  type ServiceDefinition,
  type Verdict,
} from '../../service/definition.ts';
import { nameOfActor } from '../actor-name.ts';
import { cleanText, cleanUrl } from '../text.ts';
import {
  type AgentStatus,
  Conversations,
  type ConversationsData,
  noConversations,
  SUPPORT_PREFIX,
} from './conversations.ts';

const AGENT_ROLE = 'agent';
const MAX_MESSAGE_LENGTH = 4_000;
const MAX_FILE_NAME_LENGTH = 200;

type Attachments = NonNullable<ServiceCommandOf<'chat.send_message'>['data']['attachments']>;

/** The same rule by which the catalogue lets people listen. */
const needsGrant = ({ sub, role }: Actor, chatId: string): boolean =>
  role !== AGENT_ROLE && chatId !== `${SUPPORT_PREFIX}${sub}`;

const decide = (data: ConversationsData, command: ServiceCommand, context: DecisionContext): Verdict => {
  if (command.name !== 'chat.send_message' && command.name !== 'chat.read') {
    return rejected('unknown_command', command.name);
  }
  const { chatId } = command.data;
  if (needsGrant(command.actor, chatId) && !context.isGranted(`chat:${chatId}`, command.actor.sub)) {
    return rejected('not_a_member', `You are not a member of ${chatId}`);
  }
  return command.name === 'chat.read' ? read(command, context) : sendMessage(new Conversations(data), command, context);
};

const sendMessage = (
  state: Conversations,
  { actor, data }: ServiceCommandOf<'chat.send_message'>,
  { id, timestamp }: DecisionContext,
): Verdict => {
  const text = cleanText(data.message, MAX_MESSAGE_LENGTH);
  if (!text.ok) return rejected(text.code, text.reason);
  const attachments = cleanAttachments(data.attachments ?? []);
  if (!Array.isArray(attachments)) return attachments;
  const { chatId } = data;
  const messageId = id('msg');
  const senderName = nameOfActor(actor);
  const isAgent = actor.role === AGENT_ROLE;
  const message: NewEvent = {
    type: 'chat.message',
    keys: { chatId, userId: actor.sub },
    payload: {
      ...{ messageId, chatId, senderId: actor.sub, senderName, senderType: isAgent ? 'agent' : 'user' },
      ...{ text: text.text, timestamp },
      ...(attachments.length > 0 && { attachments }),
    },
  };
  // Whoever takes a chat on is there: the customer sees it with the first answer.
  const takesOn = isAgent && chatId.startsWith(SUPPORT_PREFIX) && !state.isServing(actor.sub, chatId);
  const events = takesOn ? [message, agentStatus(chatId, actor.sub, senderName, 'online', timestamp)] : [message];
  return applied(events, { result: { messageId } });
};

const cleanAttachments = (attachments: Attachments): Attachments | Rejected => {
  const clean: Attachments = [];
  for (const { type, url, name } of attachments) {
    const address = cleanUrl(url);
    if (address === undefined) return rejected('invalid_attachment', 'Attachments are https addresses');
    const fileName = name === undefined ? undefined : cleanText(name, MAX_FILE_NAME_LENGTH);
    if (fileName?.ok === false) return rejected(fileName.code, fileName.reason);
    clean.push({ type, url: address, ...(fileName && { name: fileName.text }) });
  }
  return clean;
};

const read = ({ actor, data }: ServiceCommandOf<'chat.read'>, { timestamp }: DecisionContext): Verdict => {
  const { chatId } = data;
  const messageIds = [...new Set(data.messageIds)];
  const keys = { chatId, userId: actor.sub };
  return applied([{ type: 'chat.read', keys, payload: { chatId, messageIds, readBy: actor.sub, timestamp } }]);
};

/** An agent comes or goes: every open support chat that they serve is told. */
const react = (data: ConversationsData, event: PastEvent, { nowMs, timestamp }: DecisionContext): Consequence[] => {
  const state = new Conversations(data);
  if (event.type !== 'user.online' && event.type !== 'user.offline') return [];
  const { userId } = event.payload;
  const agent = state.agent(userId);
  if (!agent) return [];
  const status = event.type === 'user.online' ? 'online' : 'offline';
  return state.servedBy(userId, nowMs).map((chatId) => ({
    key: chatId,
    events: [agentStatus(chatId, userId, agent.name, status, timestamp)],
  }));
};

const agentStatus = (
  chatId: string,
  agentId: string,
  agentName: string,
  status: AgentStatus,
  timestamp: string,
): NewEvent => ({
  type: 'chat.agent_status',
  keys: { chatId, userId: agentId },
  payload: { agentId, agentName, status, timestamp },
});

export const chatService: ServiceDefinition<ConversationsData> = defineService({
  name: 'chat',
  catalogue: rez,
  reads: ['chat', 'user'],
  commands: ['chat.send_message', 'chat.read'],
  snapshotVersion: 1,
  initial: noConversations,
  fold: (data, event) => new Conversations(data).fold(event),
  asksGrants: ({ actor, data }) => {
    const { chatId } = data as { readonly chatId: string };
    return needsGrant(actor, chatId) ? [{ channel: `chat:${chatId}`, userId: actor.sub }] : [];
  },
  decide,
  reactsTo: ['user.online', 'user.offline'],
  react,
});

// What the chat service knows: who serves which support chat, and how agents are. Pure. Membership is not its own to
// know: grants are asked.
import type { PastEvent } from '../../service/definition.ts';

export type AgentStatus = 'online' | 'offline' | 'away';

interface SupportChat {
  readonly agents: Set<string>;
  lastMessageMs: number;
}

interface Agent {
  name: string;
  /** As presence last told. */
  status: AgentStatus;
}

/** A support chat without a message for so long is closed. */
const OPEN_FOR_MS = 86_400_000;

export const SUPPORT_PREFIX = 'chat-';

/** Plain, so that it can be kept. */
export interface ConversationsData {
  readonly chats: Map<string, SupportChat>;
  readonly agents: Map<string, Agent>;
}

export const noConversations = (): ConversationsData => ({ chats: new Map(), agents: new Map() });

export class Conversations {
  readonly #chats: ConversationsData['chats'];
  readonly #agents: ConversationsData['agents'];

  constructor({ chats, agents }: ConversationsData) {
    this.#chats = chats;
    this.#agents = agents;
  }

  fold(event: PastEvent): void {
    if (event.type === 'chat.message') {
      const { chatId, senderId, senderName, senderType } = event.payload;
      if (!chatId.startsWith(SUPPORT_PREFIX)) return;
      const chat = this.#chats.get(chatId) ?? { agents: new Set(), lastMessageMs: 0 };
      // In the order of their last messages, so that old ones are found at the front.
      this.#chats.delete(chatId);
      this.#chats.set(chatId, chat);
      chat.lastMessageMs = event.timeMs;
      if (senderType === 'agent') {
        chat.agents.add(senderId);
        this.#agents.set(senderId, { status: this.#agents.get(senderId)?.status ?? 'online', name: senderName });
      }
      this.#forget(event.timeMs - OPEN_FOR_MS);
    } else if (event.type === 'user.online' || event.type === 'user.offline') {
      const agent = this.#agents.get(event.payload.userId);
      if (agent) agent.status = event.type === 'user.online' ? 'online' : 'offline';
    }
  }

  isServing(agentId: string, chatId: string): boolean {
    return this.#chats.get(chatId)?.agents.has(agentId) ?? false;
  }

  agent(agentId: string): Readonly<Agent> | undefined {
    return this.#agents.get(agentId);
  }

  /** Open support chats that this agent has written in. */
  servedBy(agentId: string, nowMs: number): string[] {
    return Array.from(this.#chats)
      .filter(([, { agents, lastMessageMs }]) => agents.has(agentId) && nowMs - lastMessageMs < OPEN_FOR_MS)
      .map(([chatId]) => chatId);
  }

  #forget(beforeMs: number): void {
    for (const [chatId, { lastMessageMs }] of this.#chats) {
      if (lastMessageMs >= beforeMs) return;
      this.#chats.delete(chatId);
    }
  }
}

import { expect, test } from 'vitest';
import { Bench, user } from '../service.fixture.ts';
import { chatService } from './service.ts';

const bench = () => new Bench(chatService);
const agent = user('a-1', { role: 'agent', name: 'Asha' });
const presence = (sub: string, type: 'user.online' | 'user.offline') => ({
  ...{ type, keys: { userId: sub } },
  payload: { userId: sub, timestamp: '2026-01-01T00:00:00.000Z' },
});
const codeOf = (verdict: { kind: string; code?: string }): string | undefined => verdict.code ?? verdict.kind;

test('who may speak: members, agents, and a customer in their own support chat', () => {
  const chat = bench();
  chat.grants.add('chat:group-1 u-1');
  const say = (actor: typeof agent, chatId: string) =>
    codeOf(chat.send(actor, 'chat.send_message', { chatId, message: 'Hi' }));
  expect([
    say(user('u-1'), 'group-1'),
    say(user('u-2'), 'group-1'),
    say(user('u-1'), 'chat-u-1'),
    say(user('u-2'), 'chat-u-1'),
    say(agent, 'chat-u-1'),
    codeOf(chat.send(user('u-2'), 'chat.read', { chatId: 'group-1', messageIds: ['m-1'] })),
  ]).toEqual(['applied', 'not_a_member', 'applied', 'not_a_member', 'applied', 'not_a_member']);
});

test('sender, name and type come from the token, the text is clean, the attachment https', () => {
  const chat = bench();
  const attachments = [{ type: 'image' as const, url: 'https://example.org/a.png', name: ' a.png ' }];
  chat.send(user('u-1'), 'chat.send_message', { chatId: 'chat-u-1', message: ' <b>\u0000Hi ', attachments });
  expect(chat.of('chat.message')[0]).toMatchObject({
    keys: { chatId: 'chat-u-1', userId: 'u-1' },
    payload: { senderId: 'u-1', senderName: 'Name of u-1', senderType: 'user', text: '<b>Hi' },
  });
  expect(chat.of('chat.message')[0]?.payload.attachments).toEqual([{ ...attachments[0], name: 'a.png' }]);
  const bad = [{ type: 'file' as const, url: 'http://example.org/a' }];
  const verdicts = [
    chat.send(user('u-1'), 'chat.send_message', { chatId: 'chat-u-1', message: '\u0007' }),
    chat.send(user('u-1'), 'chat.send_message', { chatId: 'chat-u-1', message: 'x', attachments: bad }),
  ];
  expect(verdicts.map(codeOf)).toEqual(['empty_text', 'invalid_attachment']);
});

test('a receipt names each message once, and its reader by the token', () => {
  const chat = bench();
  chat.send(user('u-1'), 'chat.read', { chatId: 'chat-u-1', messageIds: ['m-1', 'm-2', 'm-1'] });
  expect(chat.of('chat.read')[0]?.payload).toMatchObject({ messageIds: ['m-1', 'm-2'], readBy: 'u-1' });
});

test('an agent´s status reaches every open support chat that they serve, and no other', () => {
  const chat = bench();
  for (const sub of ['u-1', 'u-2', 'u-3']) {
    chat.send(user(sub), 'chat.send_message', { chatId: `chat-${sub}`, message: 'Help' });
  }
  chat.send(agent, 'chat.send_message', { chatId: 'chat-u-1', message: 'Hello' });
  chat.nowMs += 30 * 3_600_000;
  chat.send(agent, 'chat.send_message', { chatId: 'chat-u-2', message: 'Hello' });
  chat.send(agent, 'chat.send_message', { chatId: 'chat-u-3', message: 'Hello' });
  chat.send(agent, 'chat.send_message', { chatId: 'chat-u-3', message: 'Still there?' });
  chat.happen(presence('a-1', 'user.offline'));
  chat.happen(presence('u-2', 'user.offline'));
  const told = chat.of('chat.agent_status').map(({ keys, payload }) => `${keys.chatId} ${payload.status}`);
  expect(told).toEqual([
    ...['chat-u-1 online', 'chat-u-2 online', 'chat-u-3 online'],
    // That of u-1 had no message for a day.
    ...['chat-u-2 offline', 'chat-u-3 offline'],
  ]);
  expect(chat.of('chat.agent_status').at(-1)?.payload.agentName).toBe('Asha');
});

// Users whose sub no subject could carry as it is (`auth0|ada.l@example.org`), through everything that is done in their
// name: joining, their own support chat, commands and outcomes, grants, typing, presence. The gateway spells them.
import type { NatsConnection } from '@nats-io/transport-node';
import { createGrants } from '@sluice/producers';
import { encodeSubject } from '@sluice/schemas';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import { serviceTest } from '../kit/services.ts';
import { type Claims, secretIssuer } from '../kit/token.ts';

const ADA = 'auth0|ada.l*>:%@example.org';
const SPELLED = encodeSubject(ADA);
/** What people read is not spelled. */
const NAME = 'Ada L. 100 %';

interface Fixtures {
  gateway: Gateway;
  open: (claims: Claims) => Promise<FrameClient>;
}

const test = serviceTest.extend<Fixtures>({
  gateway: async ({ nats, connection }, use) => {
    void connection;
    const env = { SLUICE_CATALOGUE: 'rez', SLUICE_SUBJECT_ENCODING: 'percent' };
    await using gateway = await startGateway({ natsUrl: nats.url, env });
    await use(gateway);
  },
  open: async ({ gateway }, use) => {
    const clients: FrameClient[] = [];
    await use(async (claims) => {
      const client = await FrameClient.open({
        url: gateway.url,
        token: await secretIssuer().sign(claims),
        encoding: 'msgpack',
      });
      clients.push(client);
      return client;
    });
    for (const client of clients) client[Symbol.dispose]();
  },
});

const send = async (client: FrameClient, name: string, data: Record<string, unknown>): Promise<unknown> => {
  const id = client.nextId();
  client.send({ kind: 'command', id, commandId: `c-${id}`, name, data });
  return await Promise.race([
    client.next('ok', (frame) => frame.id === id),
    client.next('error', (frame) => frame.id === id),
  ]);
};
const eventsOf = (client: FrameClient, channel: string, type: string) =>
  client.recorder.events(channel).filter((event) => event.type === type);
const grant = async (connection: NatsConnection, channel: string, sub: string): Promise<void> =>
  await (await createGrants({ connection })).grant(channel, sub);

test('a user with such a sub does and gets all that any other does', async ({ run, open, connection }) => {
  await run('chat');
  const ada = await open({ sub: ADA, name: NAME });
  const phone = await open({ sub: ADA, name: NAME });
  const agent = await open({ sub: 'agent-1', role: 'agent' });
  const own = `chat:chat-${SPELLED}`;

  // The plain name, and the user's own support chat, which needs no grant.
  ada.subscribe('user', { first: 'none' });
  await eventually(() => ada.recorder.isLive(`user:${SPELLED}`));
  await Promise.all([ada, phone, agent].map((client) => client.subscribeUntilLive(own)));
  expect(await send(ada, 'chat.send_message', { chatId: `chat-${SPELLED}`, message: 'hello' })).toMatchObject({
    kind: 'ok',
    sequence: expect.any(Number),
  });
  for (const client of [phone, agent]) {
    await eventually(() => eventsOf(client, own, 'chat.message').length === 1);
    expect(eventsOf(client, own, 'chat.message')[0]!.data).toMatchObject({
      senderId: SPELLED,
      senderName: NAME,
      text: 'hello',
    });
  }
  await eventually(() => eventsOf(ada, `user:${SPELLED}`, 'command.applied').length === 1);

  // Typing reaches others, and none of the typist's devices.
  expect(await send(ada, 'chat.typing', { chatId: `chat-${SPELLED}`, isTyping: true })).toMatchObject({ kind: 'ok' });
  expect(await agent.next('ephemeral')).toMatchObject({
    channel: own,
    data: { userId: SPELLED, userName: NAME, isTyping: true },
  });
  expect(phone.frames.filter(({ kind }) => kind === 'ephemeral')).toEqual([]);

  // A grant in the same spelling lets in, and nobody else.
  await grant(connection, 'chat:c-9', SPELLED);
  await ada.subscribeUntilLive('chat:c-9');
  const id = ada.nextId();
  ada.send({ kind: 'presence_query', id, channel: 'chat:c-9' });
  expect(await ada.next('presence')).toMatchObject({ count: 1, members: [SPELLED] });
  const stranger = await open({ sub: 'auth0|other' });
  stranger.subscribe('chat:c-9');
  expect(await stranger.next('error')).toMatchObject({ code: 'forbidden' });
  stranger.subscribe(own);
  expect(await stranger.next('error')).toMatchObject({ code: 'forbidden' });

  // Whoever may see it learns that the user is online, and offline when the last device has gone.
  await grant(connection, `presence:${SPELLED}`, 'agent-1');
  await agent.subscribeUntilLive(`presence:${SPELLED}`);
  await eventually(() => eventsOf(agent, `presence:${SPELLED}`, 'user.online').length === 1);
  for (const client of [ada, phone]) client[Symbol.dispose]();
  await eventually(() => eventsOf(agent, `presence:${SPELLED}`, 'user.offline').length === 1, { timeoutMs: 15_000 });
  await eventually(() =>
    agent.frames.some((frame) => frame.kind === 'ephemeral' && !(frame.data as { isTyping: boolean }).isTyping),
  );
});

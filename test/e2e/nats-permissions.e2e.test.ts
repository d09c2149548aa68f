// The permissions that deploy/nats/permissions.conf gives, on a real server: only the gateway may publish `cmd.>` (I6, I9).
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { PermissionViolationError, type NatsConnection } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import { expect, test as base } from 'vitest';
import { applyStreams } from '@sluice/producers';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { type Gateway, startGateway } from '../kit/gateway.ts';
import { createNoteStreams, NOTES_ENV, sendCommand, storedCommands } from '../kit/notes.ts';
import { type NatsServer, startNatsServer } from '../kit/nats-server.ts';
import { customerToken, secretIssuer } from '../kit/token.ts';

const CONF = readFileSync(new URL('../../deploy/nats/permissions.conf', import.meta.url), 'utf8');
const password = (user: string): string => `${user}-password-of-the-test`;
/** The server's environment is not the test's to set: what the file takes from there is put in its place. */
const config = CONF.replaceAll(/\$NATS_(\w+)_PASSWORD/g, (_, user: string) => `"${password(user.toLowerCase())}"`);

const AS_GATEWAY = {
  SLUICE_NATS_USER: 'gateway',
  SLUICE_NATS_PASSWORD: password('gateway'),
  SLUICE_NATS_INBOX_PREFIX: '_INBOX_gateway',
};

const login = async (nats: NatsServer, user: string): Promise<NatsConnection> =>
  await nats.connect({ user, pass: password(user), inboxPrefix: `_INBOX_${user}` });

const test = base.extend<{ nats: NatsServer; admin: NatsConnection; service: NatsConnection; gateway: Gateway }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the fixtures from it
  nats: async ({}, use) => {
    await using nats = await startNatsServer({ config });
    await use(nats);
  },
  admin: async ({ nats }, use) => {
    await using admin = await login(nats, 'admin');
    await createNoteStreams(admin);
    await use(admin);
  },
  service: async ({ nats, admin }, use) => {
    void admin;
    await using service = await login(nats, 'service');
    await use(service);
  },
  gateway: async ({ nats, admin }, use) => {
    void admin;
    await using gateway = await startGateway({
      natsUrl: nats.url,
      env: { ...NOTES_ENV, ...AS_GATEWAY },
    });
    await use(gateway);
  },
});

test('the gateway stores commands, finds duplicates, reads events and asks services', async ({
  admin,
  service,
  gateway,
}) => {
  using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  await client.subscribeUntilLive('notes:u-1');
  service.subscribe('call.note.count.*', {
    callback: (_, message) => void message.respond(JSON.stringify({ ok: true, data: { count: 1 } })),
  });
  await service.flush();

  expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ kind: 'ok', sequence: 1 });
  expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ sequence: 1, isDuplicate: true });
  await jetstream(service).publish('note.u-1.n-1.added', JSON.stringify({ noteId: 'n-1', text: 'hello' }));
  const id = client.nextId();
  client.send({ kind: 'call', id, name: 'note.count', data: { of: 'mine' } });

  expect(await client.next('result', (frame) => frame.id === id)).toMatchObject({ data: { count: 1 } });
  expect(await storedCommands(admin)).toHaveLength(1);
});

test('a service reads commands and cannot send one', async ({ admin, service, gateway }) => {
  using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  await sendCommand(client, { commandId: 'c-1' });

  await expect(jetstream(service).publish('cmd.note.add.u-1.c-2', '{}')).rejects.toSatisfy(
    (error: Error) => error instanceof PermissionViolationError || error.cause instanceof PermissionViolationError,
  );
  expect(await storedCommands(admin)).toHaveLength(1);

  const manager = await jetstreamManager(service);
  await manager.consumers.add('CMD', { durable_name: 'notes', ack_policy: 'explicit', filter_subject: 'cmd.note.>' });
  const consumer = await jetstream(service).consumers.get('CMD', 'notes');
  const message = await consumer.next({ expires: 5_000 });
  expect(message?.subject).toBe('cmd.note.add.u-1.c-1');
  expect(await message?.ackAck()).toBe(true);
});

test('a service cannot have JetStream store a command for it', async ({ admin, service }) => {
  const envelope = { commandId: 'c-9', command: 'note.add', actor: { sub: 'u-2', role: 'admin' }, data: {} };
  const { stream } = await jetstream(service).publish('note.u-1.n-1.added', JSON.stringify(envelope));

  // What it asks for comes on the subject that it names, whoever may publish there.
  service.publish(`$JS.API.DIRECT.GET.${stream}`, '{"seq":1}', { reply: 'cmd.note.add.u-2.c-9' });
  service.publish(`$JS.API.DIRECT.GET.${stream}.note.u-1.n-1.added`, '', { reply: 'cmd.note.add.u-2.c-9' });
  await service.flush();
  await jetstream(admin).publish('cmd.note.add.u-1.c-1', '{}');

  expect((await storedCommands(admin)).map(({ subject }) => subject)).toEqual(['cmd.note.add.u-1.c-1']);
});

test('a service answers what it was asked, in nobody else’s place, and tells nobody who is online', async ({
  nats,
  admin,
  service,
}) => {
  const heard: string[] = [];
  for (const subject of ['_INBOX_gateway.>', 'user.*.*']) {
    admin.subscribe(subject, { callback: (_, message) => void heard.push(message.subject) });
  }
  await admin.flush();
  const asked = service.subscribe('call.note.count.*', { max: 1 });
  await service.flush();
  await using asGateway = await login(nats, 'gateway');
  asGateway.publish('call.note.count.u-1', '{}', { reply: '_INBOX_gateway.a.1' });
  for await (const message of asked) {
    message.respond('{}');
    service.publish('_INBOX_gateway.a.2', '{"stream":"CMD","seq":1}');
  }
  for (const state of ['online', 'offline']) service.publish(`user.u-1.${state}`, '{}');
  await service.flush();
  asGateway.publish('user.u-1.online', '{}');
  await asGateway.flush();
  await admin.flush();

  expect(heard).toEqual(['_INBOX_gateway.a.1', 'user.u-1.online']);
});

test('neither can purge what was stored, and a service cannot make typing up', async ({
  nats,
  admin,
  service,
  gateway,
}) => {
  void gateway;
  const heard: string[] = [];
  admin.subscribe('eph.>', { callback: (_, message) => void heard.push(message.subject) });
  await admin.flush();
  await using asGateway = await login(nats, 'gateway');
  const refused = { timeout: 1_000 };

  for (const connection of [asGateway, service]) {
    await expect(connection.request('$JS.API.STREAM.PURGE.CMD', '', refused)).rejects.toThrow();
    await expect(connection.request('$JS.API.STREAM.DELETE.CMD', '', refused)).rejects.toThrow();
  }
  service.publish('eph.note.u-1.n-1.typing', '{}');
  await service.flush();
  asGateway.publish('eph.note.u-1.n-1.typing', '{}');
  await asGateway.flush();
  await admin.flush();

  expect(heard).toHaveLength(1);
  expect((await (await jetstreamManager(admin)).streams.info('CMD')).config.name).toBe('CMD');
});

test('the gateway of the whole domain does all it has to do, and nothing that it may not', async ({ nats }) => {
  await using admin = await login(nats, 'admin');
  const manager = await jetstreamManager(admin);
  await applyStreams(manager, mustCompileCatalogue(rez));
  const env = { SLUICE_CATALOGUE: 'rez', ...AS_GATEWAY };
  await using gateway = await startGateway({ natsUrl: nats.url, env });
  await using otherGateway = await startGateway({ natsUrl: nats.url, env });
  using customer = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  const agentToken = await secretIssuer().sign({ sub: 'agent-1', role: 'agent' });
  using agent = await FrameClient.open({ url: otherGateway.url, token: agentToken });
  await customer.subscribeUntilLive('chat:chat-u-1');
  await agent.subscribeUntilLive('chat:chat-u-1');

  const typing = { name: 'chat.typing', data: { chatId: 'chat-u-1', isTyping: true }, commandId: 't-1' };
  expect(await sendCommand(customer, typing)).toMatchObject({ kind: 'ok' });
  expect(await agent.next('ephemeral')).toMatchObject({ channel: 'chat:chat-u-1', type: 'chat.typing' });
  const message = { name: 'chat.send_message', data: { chatId: 'chat-u-1', message: 'hello' }, commandId: 'm-1' };
  expect(await sendCommand(customer, message)).toMatchObject({ kind: 'ok', sequence: 1 });
  await eventually(async () => await manager.streams.getMessage('USER', { last_by_subj: 'user.u-1.online' }), {
    what: 'the customer is online',
  });
  await eventually(async () => {
    customer.send({ kind: 'presence_query', id: customer.nextId(), channel: 'chat:chat-u-1' });
    return (await customer.next('presence')).members?.includes('agent-1');
  });

  expect(nats.log().filter((line) => /violation/i.test(line))).toEqual([]);
});

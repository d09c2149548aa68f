// Membership over real servers (I4): a grant lets in, its end takes off, at once and in whatever phase; and while nobody
// can tell who is a member, nobody new is let in.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { createGrants } from '@sluice/producers';
import { describe, expect } from 'vitest';
import { consistently, eventually } from '../kit/eventually.ts';
import type { FrameClient } from '../kit/frame-client.ts';
import { runGatewayToExit } from '../kit/gateway.ts';
import { createMembershipStreams, MEMBERSHIP_CATALOGUE, say, test, tokenOf } from '../kit/membership.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import { TEST_SECRET } from '../kit/token.ts';

const CHAT = 'chat:c-1';
const SLUICE = fileURLToPath(new URL('../../deploy/bin/sluice.mjs', import.meta.url));

const texts = (client: FrameClient, channel = CHAT): string[] =>
  client.recorder.events(channel).map(({ data }) => (data as { text: string }).text);
const end = (client: FrameClient, channel = CHAT): unknown => client.recorder.entries(channel).at(-1);
const revoked = { kind: 'ended', code: 'revoked' };

describe('a grant', () => {
  test('lets in, its end takes off at once, and only the one whom it was for', async ({ grants, js, openFrames }) => {
    await grants.grant(CHAT, 'u-1');
    await grants.grant(CHAT, 'u-2');
    const [first, second, stranger] = await Promise.all(
      ['u-1', 'u-2', 'u-3'].map(async (sub) => await openFrames({ token: await tokenOf(sub) })),
    );
    const denied = stranger!.subscribe(CHAT);
    expect(await stranger!.next('error')).toMatchObject({ id: denied, code: 'forbidden', channel: CHAT });
    await Promise.all([first!.subscribeUntilLive(CHAT), second!.subscribeUntilLive(CHAT)]);
    await say(js, 'c-1', 'u-1', 'hello');
    await eventually(() => texts(first!).includes('hello') && texts(second!).includes('hello'));

    await grants.revoke(CHAT, 'u-2');
    expect(await second!.next('unsubscribed')).toMatchObject({ channel: CHAT, code: 'revoked' });
    await say(js, 'c-1', 'u-1', 'about u-2');
    await eventually(() => texts(first!).includes('about u-2'));
    expect(texts(second!)).toEqual(['hello']);
    expect(end(second!)).toEqual(revoked);

    // Again, and a member who was told to go comes back to what was missed.
    await grants.grant(CHAT, 'u-2');
    await second!.subscribeUntilLive(CHAT, { position: second!.positionOf(CHAT)! });
    expect(texts(second!)).toEqual(['hello', 'about u-2']);
  });

  test('that expires ends by itself, and is worth nothing after it', async ({ grants, openFrames }) => {
    const client = await openFrames({ token: await tokenOf('u-1') });
    await grants.grant(CHAT, 'u-1', { expiresAt: new Date(Date.now() + 6_000) });
    await client.subscribeUntilLive(CHAT);
    expect(await client.next('unsubscribed')).toMatchObject({ code: 'revoked' });

    client.subscribe(CHAT);
    expect(await client.next('error')).toMatchObject({ code: 'forbidden' });
    await grants.grant(CHAT, 'u-1', { expiresAt: new Date(Date.now() - 1_000) });
    client.subscribe(CHAT);
    expect(await client.next('error')).toMatchObject({ code: 'forbidden' });
  });

  test.for([
    ['deleted', ['kv', 'del', 'grants', 'chat.c-1.u-1', '-f']],
    ['purged', ['kv', 'purge', 'grants', 'chat.c-1.u-1', '-f']],
    ['overwritten with what is no grant', ['kv', 'put', 'grants', 'chat.c-1.u-1', 'no']],
  ] as const)('that an operator has %s ends', async ([, args], { nats, grants, openFrames }) => {
    const client = await openFrames({ token: await tokenOf('u-1') });
    await grants.grant(CHAT, 'u-1');
    await client.subscribeUntilLive(CHAT);

    await promisify(execFile)(process.execPath, [SLUICE, 'nats', '--server', nats.url, ...args]);
    expect(await client.next('unsubscribed')).toMatchObject({ channel: CHAT, code: 'revoked' });
  });

  test('whose message the server lets expire ends by its marker', async ({ js, openFrames }) => {
    const client = await openFrames({ token: await tokenOf('u-1') });
    await js.publish('$KV.grants.chat.c-1.u-1', '{}', { ttl: '5s' });
    await client.subscribeUntilLive(CHAT);

    expect(await client.next('unsubscribed')).toMatchObject({ code: 'revoked' });
  });

  test('ends in the middle of a catch-up: nothing is handed out after the client was told', async ({
    grants,
    js,
    openFrames,
    clientProxy,
  }) => {
    await grants.grant(CHAT, 'u-1');
    const padding = 'x'.repeat(8_000);
    const count = 1_500;
    for (let done = 0; done < count; done += 100)
      await Promise.all(Array.from({ length: 100 }, (_, at) => say(js, 'c-1', 'u-2', `${done + at} ${padding}`)));
    const client = await openFrames({ token: await tokenOf('u-1'), encoding: 'msgpack' });
    clientProxy.throttle(400_000, 'toClient');
    client.subscribe(CHAT, { first: 'all' });
    await eventually(() => texts(client).length > 20);

    await grants.revoke(CHAT, 'u-1');
    clientProxy.throttle(100_000_000, 'toClient');
    await client.next('unsubscribed');
    const seen = texts(client).length;
    await say(js, 'c-1', 'u-2', 'later');
    expect(seen).toBeLessThan(count);
    expect(end(client)).toEqual(revoked);
    await consistently(() => texts(client).length === seen, { forMs: 300 });
  });
});

test('a refreshed token moves a channel from a grant to claims and back, and its filters with it', async ({
  grants,
  js,
  openFrames,
}) => {
  const client = await openFrames({ token: await tokenOf('u-1') });
  const refresh = async (claims: Record<string, unknown>): Promise<void> => {
    client.send({ kind: 'auth', id: client.nextId(), token: await tokenOf('u-1', claims) });
    await client.next('ok');
  };
  await grants.grant(CHAT, 'u-1');
  await client.subscribeUntilLive(CHAT);

  // An agent needs no grant, and gets what a member gets: nothing changes, also when the grant goes.
  await refresh({ role: 'agent' });
  await grants.revoke(CHAT, 'u-1');
  await say(js, 'c-1', 'u-2', 'to an agent');
  await eventually(() => texts(client).includes('to an agent'));
  expect(client.recorder.resets(CHAT)).toEqual([]);

  // An auditor needs one, and has none.
  await refresh({ role: 'auditor' });
  expect(await client.next('unsubscribed')).toMatchObject({ code: 'forbidden' });
  await say(js, 'c-1', 'u-2', 'after it');
  expect(texts(client)).toEqual(['to an agent']);

  await grants.grant(CHAT, 'u-1');
  await say(js, 'c-1', 'u-1', 'of their own');
  await client.subscribeUntilLive(CHAT, { first: 'all' });
  expect(texts(client)).toEqual(['to an agent', 'of their own']);
  await refresh({ role: 'customer' });
  await eventually(() => client.recorder.isLive(CHAT) && client.recorder.resets(CHAT).length === 1);
  expect(client.recorder.resets(CHAT)).toEqual(['filters_changed']);
});

test('while the pod is cut off from NATS nobody new is let in, and those who are in stop when they cannot be confirmed', async ({
  grants,
  js,
  openFrames,
  natsProxy,
  gateway,
}) => {
  await grants.grant(CHAT, 'u-1');
  await grants.grant('chat:c-2', 'u-1');
  const client = await openFrames({ token: await tokenOf('u-1') });
  await client.subscribeUntilLive(CHAT);
  natsProxy.partition();
  client.subscribe('chat:c-2');
  expect(await client.next('error')).toMatchObject({ code: 'grants_unavailable', channel: 'chat:c-2' });

  // Revoked where the pod cannot see it. After the time of an election it is told to come back.
  await grants.revoke(CHAT, 'u-1');
  await say(js, 'c-1', 'u-2', 'not for u-1');
  expect(await client.next('unsubscribed', () => true, 30_000)).toMatchObject({
    channel: CHAT,
    code: 'grants_unavailable',
  });
  expect((await gateway.metrics()).sum('sluice_grants_current')).toBe(0);
  natsProxy.heal();
  await eventually(
    async () => {
      client.subscribe(CHAT);
      return (await client.next('error')).code === 'forbidden';
    },
    { timeoutMs: 20_000, intervalMs: 250 },
  );
  await client.subscribeUntilLive('chat:c-2');
  expect(texts(client)).toEqual([]);
});

test('a bucket that is made anew: members are confirmed again, the others go', async ({
  connection,
  grants,
  js,
  openFrames,
}) => {
  const [stays, goes] = await Promise.all(['u-1', 'u-2'].map(async (sub) => openFrames({ token: await tokenOf(sub) })));
  for (const sub of ['u-1', 'u-2']) await grants.grant(CHAT, sub);
  await Promise.all([stays!.subscribeUntilLive(CHAT), goes!.subscribeUntilLive(CHAT)]);

  const manager = await jetstreamManager(connection);
  await manager.streams.delete('KV_grants');
  await createMembershipStreams(connection);
  await grants.grant(CHAT, 'u-1');

  expect(await goes!.next('unsubscribed', () => true, 20_000)).toMatchObject({ code: 'revoked' });
  await say(js, 'c-1', 'u-3', 'hello');
  await eventually(() => texts(stays!).includes('hello'));
  expect(texts(goes!)).toEqual([]);
  expect(stays!.recorder.resets(CHAT)).toEqual([]);
});

test('a purge of the bucket, which no message tells of, ends the memberships of all', async ({
  connection,
  grants,
  openFrames,
}) => {
  await grants.grant(CHAT, 'u-1');
  const client = await openFrames({ token: await tokenOf('u-1') });
  await client.subscribeUntilLive(CHAT);

  await (await jetstreamManager(connection)).streams.purge('KV_grants');
  expect(await client.next('unsubscribed')).toMatchObject({ channel: CHAT, code: 'revoked' });
});

test('what cannot be given is refused by code, and nothing is stored', async ({ connection, grants }) => {
  const manager = await jetstreamManager(connection);
  for (const [channel, sub] of [
    ['chat:a.b', 'u-1'],
    ['chat:*', 'u-1'],
    ['chat:c-1', ''],
    ['chat:c-1', 'u>1'],
    ['', 'u-1'],
  ] as const) {
    await expect(grants.grant(channel, sub)).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(grants.revoke(channel, sub)).rejects.toMatchObject({ code: 'invalid_key' });
  }
  const retry = { firstDelayMs: 10, giveUpAfterMs: 200 };
  const elsewhere = await createGrants({ connection, bucket: 'elsewhere', retry });
  await expect(elsewhere.grant(CHAT, 'u-1')).rejects.toMatchObject({ code: 'unavailable' });
  await elsewhere.close();
  await expect(elsewhere.grant(CHAT, 'u-1')).rejects.toMatchObject({ code: 'closed' });

  expect((await manager.streams.info('KV_grants')).state.messages).toBe(0);
  // What is given for ever, as people write it, is given.
  await grants.grant(CHAT, 'u-1', { expiresAt: new Date('9999-12-31T23:59:59Z') });
  // What was given and taken is one message, that it was taken; and it is one that goes by itself.
  await grants.grant(CHAT, 'u-1', { expiresAt: new Date(Date.now() + 60_000) });
  await grants.revoke(CHAT, 'u-1');
  const stored = await manager.streams.getMessage('KV_grants', { last_by_subj: '$KV.grants.chat.c-1.u-1' });
  expect(stored?.header.get('Nats-TTL')).toBe('3600s');
  expect((await manager.streams.info('KV_grants')).state.messages).toBe(1);
});

test('a gateway whose catalogue takes grants does not start on a bucket that is missing, or forgets in silence', async () => {
  await using nats = await startNatsServer();
  await using connection = await nats.connect();
  await createMembershipStreams(connection);
  const manager = await jetstreamManager(connection);
  const start = (bucket: string): Promise<{ log: string[] }> =>
    runGatewayToExit({
      SLUICE_NATS_URL: nats.url,
      SLUICE_TOKEN_SECRET: TEST_SECRET,
      SLUICE_CATALOGUE: MEMBERSHIP_CATALOGUE,
      SLUICE_GRANTS_BUCKET: bucket,
      SLUICE_PORT: '0',
      SLUICE_OPERATIONS_PORT: '0',
    });

  expect((await start('members')).log.join('\n')).toContain(
    'stream KV_members (bucket members of grants) does not exist',
  );
  await manager.streams.add({ name: 'KV_members', subjects: ['$KV.members.>'], max_age: 3_600 * 1e9 });
  expect((await start('members')).log.join('\n')).toContain('grants expire without a marker');
});

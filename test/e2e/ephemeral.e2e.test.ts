// Ephemeral events over real servers: typing reaches the others on a chat through whichever pod, never its author, and
// is taken back when the author's connection goes.
import { describe, expect } from 'vitest';
import { consistently, eventually } from '../kit/eventually.ts';
import type { FrameClient } from '../kit/frame-client.ts';
import { startGateway } from '../kit/gateway.ts';
import { MARKET_CATALOGUE, test } from '../kit/market.ts';
import { secretIssuer } from '../kit/token.ts';

const CHAT = 'chat:c-1';
const tokenOf = (sub: string, name?: string): Promise<string> =>
  secretIssuer().sign({ sub, ...(name !== undefined && { name }) });

const passed = (client: FrameClient): Record<string, unknown>[] =>
  client.frames.flatMap((frame) => (frame.kind === 'ephemeral' ? [frame.data as Record<string, unknown>] : []));
const type = async (client: FrameClient, isTyping: boolean, chatId = 'c-1'): Promise<void> => {
  const id = client.nextId();
  client.send({ kind: 'command', id, commandId: `t-${id}`, name: 'chat.typing', data: { chatId, isTyping } });
  await client.next('ok', (frame) => frame.id === id);
};

describe('typing', () => {
  test('reaches everybody else on the chat, on every pod, and no device of the typist', async ({
    openFrames,
    nats,
    gateway,
  }) => {
    void gateway;
    await using second = await startGateway({ natsUrl: nats.url, env: { SLUICE_CATALOGUE: MARKET_CATALOGUE } });
    const typist = await openFrames({ token: await tokenOf('u-1', 'Ada') });
    const tablet = await openFrames({ token: await tokenOf('u-1', 'Ada'), url: second.url });
    const here = await openFrames({ token: await tokenOf('u-2'), encoding: 'msgpack' });
    const there = await openFrames({ token: await tokenOf('u-3'), url: second.url });
    const elsewhere = await openFrames({ token: await tokenOf('u-4') });
    await Promise.all([typist, tablet, here, there].map((client) => client.subscribeUntilLive(CHAT)));
    await elsewhere.subscribeUntilLive('chat:c-2');
    await type(typist, true);
    for (const client of [here, there]) {
      await eventually(() => passed(client).length === 1);
      expect(client.frames.find((frame) => frame.kind === 'ephemeral')).toMatchObject({
        channel: CHAT,
        type: 'chat.typing',
        data: { chatId: 'c-1', userId: 'u-1', userName: 'Ada', isTyping: true },
      });
    }
    await type(typist, false);
    await eventually(() => passed(here).length === 2 && passed(there).length === 2);

    expect(passed(here).map(({ isTyping }) => isTyping)).toEqual([true, false]);
    expect([typist, tablet, elsewhere].map(passed)).toEqual([[], [], []]);
  });

  test('is taken back when the connection goes, and not when it was over', async ({ openFrames }) => {
    const watcher = await openFrames({ token: await tokenOf('u-9') });
    const [typing, done] = [
      await openFrames({ token: await tokenOf('u-1') }),
      await openFrames({ token: await tokenOf('u-2') }),
    ];
    await Promise.all([watcher, typing, done].map((client) => client.subscribeUntilLive(CHAT)));
    await type(typing, true);
    await type(done, true);
    await type(done, false);
    await eventually(() => passed(watcher).length === 3);
    typing.raw.destroy();
    done.raw.destroy();
    await eventually(() => passed(watcher).length === 4);

    expect(passed(watcher).at(-1)).toMatchObject({ userId: 'u-1', isTyping: false });
    await consistently(() => passed(watcher).length === 4, { forMs: 200 });
  });

  test('is refused to one who is not on the chat, and reaches nobody', async ({ openFrames }) => {
    const [watcher, stranger] = [await openFrames({ token: await tokenOf('u-2') }), await openFrames()];
    await watcher.subscribeUntilLive(CHAT);
    await stranger.subscribeUntilLive('chat:c-2');
    const id = stranger.nextId();
    stranger.send({
      kind: 'command',
      id,
      commandId: 'x-1',
      name: 'chat.typing',
      data: { chatId: 'c-1', isTyping: true },
    });
    expect(await stranger.next('error', (frame) => frame.id === id)).toMatchObject({ code: 'not_subscribed' });
    await type(stranger, true, 'c-2');

    expect(passed(watcher)).toEqual([]);
  });

  test('reaches listeners of the SDK as what it is', async ({ openClient, openFrames }) => {
    const { client } = await openClient({ token: await tokenOf('u-2') });
    const typist = await openFrames();
    const heard: unknown[] = [];
    const subscription = client.subscribe(CHAT);
    subscription.on('chat.typing', ({ data, isEphemeral, sequence }) => heard.push({ data, isEphemeral, sequence }));
    await eventually(() => subscription.status === 'live');
    await typist.subscribeUntilLive(CHAT);
    await type(typist, true);
    await eventually(() => heard.length === 1);

    expect(heard).toMatchObject([{ data: { userId: 'u-1', isTyping: true }, isEphemeral: true }]);
    expect(client.counts).toMatchObject({ events: 0, ephemeral: 1 });
  });

  test('leaves no trace: nothing is stored, no position moves', async ({ openFrames, publisher, connection }) => {
    const [watcher, typist] = [await openFrames({ token: await tokenOf('u-2') }), await openFrames()];
    await Promise.all([watcher, typist].map((client) => client.subscribeUntilLive(CHAT)));
    const position = watcher.positionOf(CHAT);
    await type(typist, true);
    await eventually(() => passed(watcher).length === 1);
    expect(watcher.positionOf(CHAT)).toBe(position);
    const { jetstreamManager } = await import('@nats-io/jetstream');
    const { state } = await (await jetstreamManager(connection)).streams.info('CHAT');
    expect(state.last_seq).toBe(0);
    const { sequence } = await publisher.publish('chat.message', { chatId: 'c-1', userId: 'u-1' }, { text: 'hello' });

    await eventually(() => watcher.recorder.events(CHAT).some((event) => event.sequence === sequence));
  });
});

describe('what a service emits', () => {
  test('reaches everybody, also whose subject it is about, after the checks of any payload', async ({
    openFrames,
    publisher,
    connection,
    gateway,
  }) => {
    const client = await openFrames();
    await client.subscribeUntilLive(CHAT);
    connection.publish('eph.chat.c-1.u-1.sound', Uint8Array.of(0x81, 0xa1));
    connection.publish('eph.chat.c-1.u-1.sound', JSON.stringify({ type: 7 }));
    connection.publish('eph.chat.c-1.u-1.message', JSON.stringify({ text: 'not stored' }));
    publisher.emit('chat.sound', { chatId: 'c-1', userId: 'u-1' }, { type: 'new_order' });
    expect(() => publisher.emit('chat.message', { chatId: 'c-1', userId: 'u-1' }, { text: 'x' })).toThrow(/stored/);
    await eventually(() => passed(client).length > 0);

    expect(passed(client)).toEqual([{ type: 'new_order' }]);
    expect(client.recorder.events(CHAT)).toEqual([]);
    const metrics = await gateway.metrics();
    expect(metrics.sum('sluice_ephemeral_total', { outcome: 'refused' })).toBe(2);
  });
});

describe('too many of them', () => {
  test.override({ gatewayEnv: { SLUICE_EPHEMERAL_PER_SECOND: '10' } });

  test('are dropped and counted, and stored events still come', async ({ openFrames, publisher, gateway }) => {
    const client = await openFrames();
    await client.subscribeUntilLive(CHAT);
    for (let i = 0; i < 2_000; i++) publisher.emit('chat.sound', { chatId: 'c-1', userId: 'u-1' }, { type: 'x' });
    const { sequence } = await publisher.publish('chat.message', { chatId: 'c-1', userId: 'u-1' }, { text: 'hello' });
    await eventually(() => client.recorder.events(CHAT).some((event) => event.sequence === sequence));
    await eventually(async () => {
      const metrics = await gateway.metrics();
      return metrics.sum('sluice_ephemeral_total', { outcome: 'received' }) === 2_000;
    });
    const metrics = await gateway.metrics();
    const dropped = metrics.sum('sluice_ephemeral_total', { outcome: 'over_limit' });

    expect(dropped).toBeGreaterThan(0);
    await eventually(() => passed(client).length + dropped === 2_000);
  });
});

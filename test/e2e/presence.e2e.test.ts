// Who is online, over real pods and servers: one user on many devices, pods that are killed, stopped and cut off; and who
// is on a channel.
import { expect } from 'vitest';
import { consistently, eventually } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { oldNatsServerBinary } from '../kit/nats-binary.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import { createPresenceStreams, test, toldOf as readTold } from '../kit/presence.ts';
import { SdkClient } from '../kit/sdk-client.ts';
import { customerToken } from '../kit/token.ts';

/** Longer than lingers and leases of these tests. */
const SETTLED_MS = 2_500;
const PATIENCE = { timeoutMs: 20_000 };

/** An entry is written before anything is told: what is done to pods and links has to wait for both. */
const untilTold = async (toldOf: (user: string) => Promise<string[]>, ...users: string[]): Promise<void> => {
  for (const user of users) await eventually(async () => (await toldOf(user)).length === 1, PATIENCE);
};

test('several devices on two pods are one user, from the first to the last', async ({
  startPod,
  device,
  toldOf,
  keys,
}) => {
  const [first, second] = [await startPod(), await startPod()];
  const devices = [await device(first, 'u-1'), await device(first, 'u-1'), await device(second, 'u-1')];
  await eventually(async () => (await keys()).filter((key) => key.startsWith('user.u-1.')).length === 2);
  await untilTold(toldOf, 'u-1');

  devices[0]![Symbol.dispose]();
  devices[2]![Symbol.dispose]();
  await eventually(async () => (await keys()).filter((key) => key.startsWith('user.u-1.')).length === 1, PATIENCE);
  expect(await toldOf('u-1')).toEqual(['came']);

  devices[1]![Symbol.dispose]();
  await eventually(async () => (await toldOf('u-1')).length > 1, PATIENCE);
  await device(second, 'u-1');
  await eventually(async () => (await toldOf('u-1')).length > 2, PATIENCE);
  expect(await toldOf('u-1')).toEqual(['came', 'went', 'came']);
});

test('others see it as events of a channel, with the user and the time', async ({ startPod, device }) => {
  const [first, second] = [await startPod(), await startPod()];
  const watcher = await device(first, 'u-2');
  await watcher.subscribeUntilLive('person:u-1');

  const other = await device(second, 'u-1');
  await eventually(() => watcher.recorder.events('person:u-1').length === 1, PATIENCE);
  other[Symbol.dispose]();
  await eventually(() => watcher.recorder.events('person:u-1').length === 2, PATIENCE);

  const events = watcher.recorder.events('person:u-1');
  expect(events.map(({ type }) => type)).toEqual(['person.came', 'person.went']);
  for (const { data } of events) expect(data).toEqual({ personId: 'u-1', timestamp: expect.stringMatching(/Z$/) });
});

test('a connection that comes back at once, here or elsewhere, is no transition', async ({
  startPod,
  device,
  toldOf,
}) => {
  const env = { SLUICE_PRESENCE_LINGER_MS: '3000' };
  const [first, second] = [await startPod({ env }), await startPod({ env })];
  let last = await device(first, 'u-1');
  await untilTold(toldOf, 'u-1');
  for (const pod of [first, second, second, first]) {
    last[Symbol.dispose]();
    last = await device(pod, 'u-1');
  }

  await consistently(async () => (await toldOf('u-1')).length === 1, { forMs: 4_500, intervalMs: 200 });
});

test('who has said no valid hello is nobody', async ({ startPod, keys }) => {
  const pod = await startPod();
  using silent = await FrameClient.open({ url: pod.url });
  using forged = await FrameClient.open({ url: pod.url });
  forged.hello('a.b.c');
  await forged.raw.closed;

  await consistently(async () => (await keys()).every((key) => key.startsWith('lease.')), { forMs: 500 });
  expect(silent.raw.isOpen).toBe(true);
});

test('a pod is killed: its users went, told once; those who have another device did not', async ({
  startPod,
  device,
  toldOf,
  keys,
}) => {
  const pods = [await startPod(), await startPod(), await startPod()];
  const users = Array.from({ length: 20 }, (_, at) => `u-${at}`);
  for (const user of users) await device(pods[0]!, user);
  await device(pods[1]!, 'u-0');
  await eventually(async () => (await keys()).length === users.length + 1 + pods.length, PATIENCE);
  await untilTold(toldOf, ...users);

  await pods[0]!.kill();
  await device(pods[2]!, 'u-1');

  for (const user of users.slice(2)) {
    await eventually(async () => (await toldOf(user)).length === 2, PATIENCE);
    expect(await toldOf(user)).toEqual(['came', 'went']);
  }
  await eventually(async () => (await keys()).length === 2 + 2, {
    ...PATIENCE,
    what: 'nothing is left of the dead pod',
  });
  expect(await toldOf('u-0')).toEqual(['came']);
  expect(await toldOf('u-1')).toEqual(['came']);
});

test('the only pod is killed and comes back: it tells who did not', async ({ startPod, device, toldOf, keys }) => {
  const pod = await startPod();
  await device(pod, 'u-1');
  await device(pod, 'u-2');
  await untilTold(toldOf, 'u-1', 'u-2');

  await pod.kill();
  await pod.start();
  await device(pod, 'u-1');

  await eventually(async () => (await toldOf('u-2')).length === 2, PATIENCE);
  await eventually(async () => (await keys()).length === 2, PATIENCE);
  expect(await toldOf('u-1')).toEqual(['came']);
  expect(await toldOf('u-2')).toEqual(['came', 'went']);
});

test('a pod is stopped: who goes on elsewhere in time did not go, who does not went', async ({
  startPod,
  device,
  toldOf,
  keys,
}) => {
  const [first, second] = [await startPod(), await startPod()];
  const moving = await device(first, 'u-1');
  await device(first, 'u-2');
  await untilTold(toldOf, 'u-1', 'u-2');

  const stopped = first.stop();
  await moving.next('drain');
  await device(second, 'u-1');
  moving[Symbol.dispose]();
  await stopped;

  await eventually(async () => (await toldOf('u-2')).length === 2, PATIENCE);
  await eventually(async () => (await keys()).length === 2, {
    ...PATIENCE,
    what: 'nothing is left of the stopped pod',
  });
  expect(await toldOf('u-2')).toEqual(['came', 'went']);
  expect(await toldOf('u-1')).toEqual(['came']);
});

test('a pod that NATS lost sight of: its users went; when it is back they came, if they are still there', async ({
  nats,
  startPod,
  device,
  toldOf,
  keys,
}) => {
  await using proxy = await FaultProxy.start({ port: nats.port });
  const [near] = [await startPod()];
  const far = await startPod({ natsUrl: `nats://127.0.0.1:${proxy.port}` });
  await device(far, 'staying');
  const leaving = await device(far, 'leaving');
  await untilTold(toldOf, 'staying', 'leaving');

  proxy.partition();
  for (const user of ['staying', 'leaving']) {
    await eventually(async () => (await toldOf(user)).length === 2, PATIENCE);
  }
  leaving[Symbol.dispose]();
  await device(far, 'newcomer');
  const visitor = await device(far, 'visitor');
  visitor[Symbol.dispose]();
  proxy.heal();

  await eventually(async () => (await toldOf('staying')).length === 3, PATIENCE);
  await eventually(async () => (await toldOf('newcomer')).length === 1, PATIENCE);
  await eventually(async () => (await keys()).length === 2 + 2, PATIENCE);
  expect(await toldOf('staying')).toEqual(['came', 'went', 'came']);
  expect(await toldOf('leaving')).toEqual(['came', 'went']);
  expect(await toldOf('visitor')).toEqual([]);
  expect(near!.isRunning).toBe(true);
});

test('a pod that stood still for too long goes on under another name, with whoever is still there', async ({
  startPod,
  device,
  toldOf,
  keys,
}) => {
  const [near, far] = [await startPod(), await startPod()];
  const staying = await device(far, 'staying');
  await untilTold(toldOf, 'staying');

  await far.pause();
  await eventually(async () => (await toldOf('staying')).length === 2, PATIENCE);
  far.resume();
  await eventually(async () => (await toldOf('staying')).length === 3, PATIENCE);
  await eventually(async () => (await keys()).length === 3, PATIENCE);
  staying[Symbol.dispose]();
  await eventually(async () => (await toldOf('staying')).length === 4, PATIENCE);

  expect(await toldOf('staying')).toEqual(['came', 'went', 'came', 'went']);
  expect(near.isRunning).toBe(true);
});

test('NATS is restarted: nobody went, and who left meanwhile is told', async ({ nats, startPod, device, toldOf }) => {
  const [first, second] = [await startPod(), await startPod()];
  await device(first, 'u-1');
  const leaving = await device(second, 'u-2');
  await untilTold(toldOf, 'u-1', 'u-2');

  await nats.kill();
  leaving[Symbol.dispose]();
  await nats.start();

  await eventually(async () => (await toldOf('u-2')).length === 2, PATIENCE);
  expect(await toldOf('u-2')).toEqual(['came', 'went']);
  await consistently(async () => (await toldOf('u-1')).length === 1, { forMs: SETTLED_MS, intervalMs: 200 });
});

test('members and counts of channels, over all pods, for those who are on them', async ({ startPod, device }) => {
  const [first, second] = [await startPod(), await startPod()];
  const asker = await device(first, 'u-1');
  const twin = await device(second, 'u-1');
  const other = await device(second, 'u-2');
  for (const each of [asker, twin, other]) {
    for (const channel of ['room:r', 'hall:r', 'booth:r']) await each.subscribeUntilLive(channel);
  }
  const ask = async (channel: string): Promise<unknown> => {
    const id = asker.nextId();
    asker.send({ kind: 'presence_query', id, channel });
    const answered = (frame: { id?: number }): boolean => frame.id === id;
    return await Promise.race([asker.next('presence', answered), asker.next('error', answered)]);
  };

  await eventually(async () => ((await ask('room:r')) as { count: number }).count === 2);
  expect(await ask('room:r')).toMatchObject({ channel: 'room:r', count: 2, members: ['u-1', 'u-2'] });
  expect(await ask('hall:r')).toMatchObject({ count: 2 });
  expect(await ask('hall:r')).not.toHaveProperty('members');
  expect(await ask('booth:r')).toMatchObject({ kind: 'error', code: 'forbidden' });
  expect(await ask('room:other')).toMatchObject({ kind: 'error', code: 'not_subscribed' });

  using app = new SdkClient({ url: second.url, token: await customerToken('u-3') });
  await app.subscribeUntilLive('room:r');
  await eventually(async () => (await app.client.presence('room:r')).count === 3);
  expect((await app.client.presence('room:r')).members).toEqual(['u-1', 'u-2', 'u-3']);
  app.client.close();
  await eventually(async () => ((await ask('room:r')) as { count: number }).count === 2);

  other.send({ kind: 'unsubscribe', id: other.nextId(), channel: 'room:r' });
  await eventually(async () => ((await ask('room:r')) as { count: number }).count === 1);
  await second.kill();
  await eventually(async () => ((await ask('hall:r')) as { count: number }).count === 1, PATIENCE);
  expect(await ask('room:r')).toMatchObject({ count: 1, members: ['u-1'] });
});

test('an old server (2.9) will do', async ({ startPod, device }) => {
  await using nats = await startNatsServer({ binary: await oldNatsServerBinary() });
  await using connection = await nats.connect();
  await createPresenceStreams(connection);
  const [first, second] = [await startPod({ natsUrl: nats.url }), await startPod({ natsUrl: nats.url })];
  const leaving = await device(first, 'leaving');
  await device(first, 'killed');
  await device(second, 'staying');
  for (const user of ['leaving', 'killed', 'staying']) {
    await eventually(async () => (await readTold(connection, user)).length === 1);
  }

  leaving[Symbol.dispose]();
  await eventually(async () => (await readTold(connection, 'leaving')).length === 2, PATIENCE);
  await first.kill();
  await eventually(async () => (await readTold(connection, 'killed')).length === 2, PATIENCE);
  await device(second, 'killed');
  await eventually(async () => (await readTold(connection, 'killed')).length === 3, PATIENCE);

  expect(await readTold(connection, 'leaving')).toEqual(['came', 'went']);
  expect(await readTold(connection, 'killed')).toEqual(['came', 'went', 'came']);
  expect(await readTold(connection, 'staying')).toEqual(['came']);
});

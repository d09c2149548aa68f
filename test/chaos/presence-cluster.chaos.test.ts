// Presence on a three-node cluster whose leaders are killed while users come and go: an election is nobody's death, and
// whoever left during one is told afterwards, once.
import { expect } from 'vitest';
import { type ClusterFixtures, test as base } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { createPresenceStreams, keysOf, PRESENCE_CATALOGUE, toldOf } from '../kit/presence.ts';
import { customerToken } from '../kit/token.ts';

const PATIENCE = { timeoutMs: 90_000, intervalMs: 200 };
/** Elections take 5 to 8 s. */
const TIMES = {
  SLUICE_PRESENCE_LINGER_MS: '1000',
  SLUICE_PRESENCE_LEASE_MS: '1000',
  SLUICE_PRESENCE_DEAD_AFTER_MS: '16000',
};

const test = base.extend<Pick<ClusterFixtures, 'connection'>>({
  connection: async ({ cluster }, use) => {
    await using connection = await cluster.connect();
    await eventually(() => createPresenceStreams(connection, 3).then(() => true), PATIENCE);
    await cluster.waitUntilHealthy();
    await use(connection);
  },
});

test('leaders are killed: nobody goes by it, whoever leaves meanwhile went once, and so do the users of a dead pod', async ({
  cluster,
  connection,
  startPod,
}) => {
  const options = { natsUrl: cluster.url, env: { SLUICE_CATALOGUE: PRESENCE_CATALOGUE, ...TIMES } };
  const [first, second] = [await startPod(options), await startPod(options)];
  const device = async (pod: typeof first, user: string): Promise<FrameClient> =>
    await FrameClient.open({ url: pod.url, token: await customerToken(user) });
  const users = ['staying', 'leaving', 'killed'];
  using staying = await device(first, 'staying');
  using leaving = await device(first, 'leaving');
  using killed = await device(second, 'killed');
  for (const user of users) await eventually(async () => (await toldOf(connection, user)).length === 1, PATIENCE);

  for (const stream of ['KV_presence', 'PERSON']) {
    const leader = await cluster.waitForLeader(stream);
    await leader.kill();
    if (stream === 'PERSON') leaving[Symbol.dispose]();
    await cluster.waitForLeader(stream, { not: leader });
    await leader.start();
    await cluster.waitUntilHealthy();
  }
  using coming = await device(second, 'coming');
  await eventually(async () => (await toldOf(connection, 'coming')).length === 1, PATIENCE);
  await eventually(async () => (await toldOf(connection, 'leaving')).length === 2, PATIENCE);
  expect(await toldOf(connection, 'killed')).toEqual(['came']);

  await (await cluster.waitForLeader('KV_presence')).kill();
  await second.kill();
  for (const user of ['killed', 'coming']) {
    await eventually(async () => (await toldOf(connection, user)).length === 2, PATIENCE);
    expect(await toldOf(connection, user)).toEqual(['came', 'went']);
  }
  await eventually(async () => (await keysOf(connection)).length === 2, PATIENCE);
  expect(await toldOf(connection, 'leaving')).toEqual(['came', 'went']);
  expect(await toldOf(connection, 'staying')).toEqual(['came']);
  expect([staying, killed, coming].map(({ raw }) => raw.isOpen)).toEqual([true, false, false]);
});

// I4 in a cluster: the pod's server is cut off from it and goes on answering, as if nothing had changed. A member who is
// revoked meanwhile is taken off, nobody who was revoked is let in, and the pod finds its way out by itself.
import { jetstream } from '@nats-io/jetstream';
import { createGrants } from '@sluice/producers';
import { expect } from 'vitest';
import { test } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { FaultProxy } from '../kit/fault-proxy.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { createMembershipStreams, MEMBERSHIP_CATALOGUE, say, tokenOf } from '../kit/membership.ts';

const CHAT = 'chat:c-1';

test('a revocation that the pod’s server does not hear of counts all the same', async ({
  cluster,
  connection,
  startPod,
}) => {
  await eventually(() => createMembershipStreams(connection, 3).then(() => true), { timeoutMs: 30_000 });
  await cluster.waitUntilHealthy();
  const [home, second, third] = cluster.servers;
  await using atHome = await FaultProxy.start({ port: home!.port });
  await using elsewhere = await FaultProxy.start({ port: second!.port });
  elsewhere.refuse();
  const natsUrl = [atHome, elsewhere].map(({ port }) => `nats://127.0.0.1:${port}`).join(',');
  const pod = await startPod({ natsUrl, env: { SLUICE_CATALOGUE: MEMBERSHIP_CATALOGUE } });
  elsewhere.accept();
  await using publisher = await third!.connect();
  const grants = await createGrants({ connection: publisher });
  const js = jetstream(publisher, { timeout: 10_000 });
  for (const sub of ['u-1', 'u-2', 'u-3']) await eventually(() => grants.grant(CHAT, sub).then(() => true));
  const open = async (sub: string): Promise<FrameClient> =>
    FrameClient.open({ url: pod.url, token: await tokenOf(sub) });
  using stays = await open('u-1');
  using goes = await open('u-2');
  using late = await open('u-3');
  await Promise.all([stays, goes].map((client) => client.subscribeUntilLive(CHAT)));

  cluster.isolate(home!, 'silent');
  await eventually(() => grants.revoke(CHAT, 'u-2').then(() => true), { timeoutMs: 30_000 });
  await eventually(() => grants.revoke(CHAT, 'u-3').then(() => true), { timeoutMs: 30_000 });
  // Asked again for as long as nobody can tell.
  const answers = new Set<string>();
  await eventually(
    async () => {
      late.subscribe(CHAT);
      answers.add((await late.next('error')).code);
      return answers.has('forbidden');
    },
    { timeoutMs: 60_000, intervalMs: 250 },
  );
  const ended = await goes.next('unsubscribed', () => true, 60_000);
  await eventually(() => say(js, 'c-1', 'u-9', 'after it').then(() => true), { timeoutMs: 30_000 });
  if (!stays.recorder.isLive(CHAT)) {
    await eventually(() => stays.subscribeUntilLive(CHAT, { position: stays.positionOf(CHAT)! }).then(() => true), {
      timeoutMs: 30_000,
    });
  }
  await eventually(() => stays.recorder.count(CHAT) > 0, { timeoutMs: 60_000 });

  expect(['revoked', 'grants_unavailable']).toContain(ended.code);
  expect(goes.recorder.count(CHAT)).toBe(0);
  expect(late.recorder.entries(CHAT).every(({ kind }) => kind === 'error')).toBe(true);
  expect(pod.logRecords()).toContainEqual(expect.objectContaining({ msg: 'nats', kind: 'moving' }));
  await grants.close();
  await cluster.heal();
});

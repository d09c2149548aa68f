// What one pod does about what others wrote, told or took for granted a moment too early.
import { expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { DEAD_AFTER_MS, LEASE_MS, LINGER_MS, ModelPod, ModelServer } from './model-store.fixture.ts';
import { bucketFaultsOf } from './pod-presence.ts';
import { seededRandom } from './seeded-random.fixture.ts';

const createWorld = () => {
  const clock = new ManualClock();
  const server = new ModelServer(clock);
  const random = seededRandom(1);
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const told = (): string[] => server.events.map(({ state, user }) => `${user} ${state}`);
  return { server, pass, told, startPod: (name: string) => new ModelPod(server, random, name) };
};

test('an offline that another pod told too early is contradicted by the one where the user is', async () => {
  const { server, pass, told, startPod } = createWorld();
  const pod = startPod('pod');
  pod.open('u');
  await pass(3_000);
  server.tell('u', 'offline', 0);
  await pass(3_000);

  expect(told()).toEqual(['u online', 'u offline', 'u online']);
  pod.close('u');
  await pass(LINGER_MS + 4_000);
  expect(told().slice(3)).toEqual(['u offline']);
  expect(pod.presence.here).toBe(0);
});

test('a pod that was declared dead goes on under another name, with all of its users', async () => {
  const { server, pass, told, startPod } = createWorld();
  const pod = startPod('pod');
  for (const user of ['u-1', 'u-2']) pod.open(user);
  await pass(3_000);
  const before = pod.presence.podId!;
  server.writeLease(before, 'dead', server.leases.get(before)!.sequence);
  await pass(2 * LEASE_MS);

  expect(pod.presence.podId).not.toBe(before);
  expect(server.leases.get(pod.presence.podId!)?.state).toBe('alive');
  expect([...server.entries.keys()]).toEqual(
    expect.arrayContaining(['u-1', 'u-2'].map((user) => `${user} ${pod.presence.podId}`)),
  );
  expect(told().sort()).toEqual(['u-1 online', 'u-2 online']);
});

test('a bucket that was emptied is filled again', async () => {
  const { server, pass, startPod } = createWorld();
  const pod = startPod('pod');
  pod.open('u');
  await pass(3_000);
  server.leases.clear();
  server.entries.clear();
  await pass(2 * LEASE_MS);

  expect([...server.entries.keys()]).toEqual([`u ${pod.presence.podId}`]);
});

test('who has just left when the bucket is emptied is told to be offline all the same', async () => {
  const { server, pass, told, startPod } = createWorld();
  const pod = startPod('pod');
  pod.open('u');
  await pass(2 * LEASE_MS - 1_000);
  pod.close('u');
  server.leases.clear();
  server.entries.clear();
  await pass(2 * LEASE_MS);

  expect(told()).toEqual(['u online', 'u offline']);
  expect([pod.presence.here, pod.presence.pending]).toEqual([0, 0]);
});

test('a clock that is set back keeps nobody online and holds no write up', async () => {
  const { server, pass, told, startPod } = createWorld();
  const pod = startPod('pod');
  for (const user of ['u-1', 'u-2']) pod.open(user);
  await pass(3_000);
  pod.close('u-1');
  pod.isCut = true;
  pod.open('u-3');
  await pass(200);
  server.clock.setBack(3_600_000);
  pod.heal();
  await pass(500);
  pod.close('u-2');
  await pass(LINGER_MS + 2_000);

  expect(told().slice(2).sort()).toEqual(['u-1 offline', 'u-2 offline', 'u-3 online']);
});

test('an entry of a pod that nobody ever heard of keeps nobody online', async () => {
  const { server, pass, told, startPod } = createWorld();
  const pod = startPod('pod');
  server.entries.set('u ghost', {});
  pod.open('u');
  await pass(3_000);
  pod.close('u');
  await pass(LINGER_MS + 4_000);

  expect(told()).toEqual(['u online', 'u offline']);
});

test('a pod that has just started, and is not listed yet, keeps its user online', async () => {
  const { pass, told, startPod } = createWorld();
  const first = startPod('first');
  first.open('u');
  await pass(LEASE_MS + LINGER_MS - 1_000);
  first.close('u');
  await pass(LINGER_MS - 500);
  startPod('second').open('u');
  await pass(DEAD_AFTER_MS);

  expect(told()).toEqual(['u online']);
});

test('whoever dies while clearing away after another one is cleared away after', async () => {
  const { server, pass, told, startPod } = createWorld();
  const [first, second] = [startPod('first'), startPod('second')];
  first.open('u');
  await pass(DEAD_AFTER_MS);
  first.kill();
  // Declares it dead, and is gone before the rest.
  while (server.leases.get('first.1')!.state === 'alive') await pass(50);
  second.kill();
  startPod('third');
  await pass(3 * DEAD_AFTER_MS);

  expect(told()).toEqual(['u online', 'u offline']);
  expect([...server.leases.keys()]).toEqual(['third.1']);
});

const isDead = ({ leases }: ModelServer): boolean => leases.get('first.1')!.state === 'dead';
const isRemoved = ({ entries }: ModelServer): boolean => entries.get('u-1 first.1')!.removedAtMs !== undefined;

test.each([
  ['declared a pod dead, and was not told so', isDead, 0],
  ['declared a pod dead', isDead, 50],
  ['begun to clear away after it', isRemoved, 50],
])('whoever is cut off for a moment when it has %s goes on with that', async (_, hasHappened, moreMs) => {
  const { server, pass, told, startPod } = createWorld();
  const [first, second] = [startPod('first'), startPod('second')];
  const users = ['u-1', 'u-2', 'u-3'];
  for (const user of users) first.open(user);
  await pass(DEAD_AFTER_MS);
  first.kill();
  while (!hasHappened(server)) await pass(50);
  await pass(moreMs);
  second.isCut = true;
  await pass(300);
  second.heal();
  await pass(LEASE_MS + 2_000);

  expect(told().slice(users.length).sort()).toEqual(users.map((user) => `${user} offline`));
  expect([...server.leases.keys()]).toEqual(['second.1']);
});

test('an entry that a pod writes after it was declared dead keeps nobody online', async () => {
  const { server, pass, told, startPod } = createWorld();
  const [first] = [startPod('first'), startPod('second')];
  first.open('u');
  await pass(DEAD_AFTER_MS);
  first.kill();
  while (server.entries.get('u first.1')!.removedAtMs === undefined) await pass(50);
  // On its way since before, and there before the others look who has an entry.
  server.entries.set('u first.1', {});
  await pass(DEAD_AFTER_MS);

  expect(told()).toEqual(['u online', 'u offline']);
});

test('what a bucket must be like', () => {
  const good = { subjects: ['$KV.presence.>'], allow_direct: true, max_msgs_per_subject: 1 };
  const codes = (config: Record<string, unknown>): string[] =>
    bucketFaultsOf('KV_presence', 'presence', config).map(({ code }) => code);

  expect(codes(good)).toEqual([]);
  expect(codes({ ...good, subjects: ['$KV.other.>'] })).toEqual(['stream_missing']);
  expect(codes({ ...good, retention: 'interest' })).toEqual(['stream_retention']);
  expect(codes({ ...good, allow_direct: false })).toEqual(['stream_no_direct']);
  expect(codes({ ...good, max_msgs_per_subject: 5 })).toEqual(['stream_repeats']);
});

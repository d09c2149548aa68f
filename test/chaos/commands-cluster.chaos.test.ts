// A three-node cluster loses the leader of the stream of commands while two pods are sent the same ones: whatever is
// acknowledged is stored, once, at the sequence that was told; a follower that is behind never calls it full (I6, I7).
import type { NatsConnection } from '@nats-io/transport-node';
import { COMMAND_STREAM, type OkReply } from '@sluice/schemas';
import { expect } from 'vitest';
import { test as base } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { createNoteStreams, NOTES_ENV, sendCommand, storedCommands } from '../kit/notes.ts';
import { customerToken } from '../kit/token.ts';

const COMMANDS = 120;
const SENT_AT_ONCE = 10;

const test = base.override({
  connection: async ({ cluster }, use) => {
    await using connection: NatsConnection = await cluster.connect();
    await eventually(() => createNoteStreams(connection, { replicas: 3 }).then(() => true), {
      timeoutMs: 30_000,
      what: 'the streams of notes',
    });
    await cluster.waitUntilHealthy();
    await use(connection);
  },
});

/** As a client that was not acknowledged does: again, with the same id. */
const sendUntilOk = async (client: FrameClient, commandId: string): Promise<OkReply> => {
  return await eventually(
    async () => {
      const answer = await sendCommand(client, { commandId });
      if (answer.kind === 'ok') return answer;
      // Nothing else may be said of a command that is in order.
      expect(['unavailable', 'overloaded', 'rate_limited']).toContain(answer.code);
      return undefined;
    },
    { timeoutMs: 90_000, intervalMs: 200, what: `${commandId} acknowledged` },
  );
};

test('through two pods at once, over the death of the leader, every command is stored once', async ({
  cluster,
  connection,
  startPod,
}) => {
  const env = { ...NOTES_ENV, SLUICE_REQUESTS_PER_SECOND: '1000', SLUICE_REQUESTS_PER_SECOND_PER_USER: '1000' };
  const pods = [await startPod({ natsUrl: cluster.url, env }), await startPod({ natsUrl: cluster.url, env })];
  const token = await customerToken();
  using here = await FrameClient.open({ url: pods[0]!.url, token });
  using there = await FrameClient.open({ url: pods[1]!.url, token });
  const acknowledged = new Map<string, OkReply[]>();
  const ids = Array.from({ length: COMMANDS }, (_, i) => `c-${i}`);
  const left = [...ids];
  const work = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      const commandId = id;
      acknowledged.set(id, await Promise.all([here, there].map((client) => sendUntilOk(client, commandId))));
    }
  };

  const working = Promise.all(Array.from({ length: SENT_AT_ONCE }, work));
  await eventually(() => acknowledged.size >= COMMANDS / 4, { timeoutMs: 30_000 });
  const leader = await cluster.waitForLeader(COMMAND_STREAM.name);
  await leader.kill();
  await working;
  await leader.start();
  await cluster.waitUntilHealthy();

  const stored = await eventually(async () => {
    const found = await storedCommands(connection);
    return found.length >= COMMANDS ? found : undefined;
  });
  expect(stored.map(({ envelope }) => envelope['commandId']).sort()).toEqual([...ids].sort());
  for (const { envelope, sequence } of stored) {
    const answers = acknowledged.get(String(envelope['commandId']))!;
    expect(answers.map((answer) => answer.sequence)).toEqual([sequence, sequence]);
  }
});

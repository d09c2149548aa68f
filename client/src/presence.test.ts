// Asking who is on a channel.
import { expect, test } from 'vitest';
import { createClientOver } from './door.ts';
import { ManualClock, ScriptedGateway } from './scripted.fixture.ts';

const connect = () => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const client = createClientOver(() => gateway.transport)({ url: 'ws://gateway.test', token: 'token-1', clock });
  client.connect();
  gateway.welcome();
  const queries = () => gateway.link.received.flatMap((frame) => (frame.kind === 'presence_query' ? [frame] : []));
  return { gateway, clock, client, queries };
};

test('the answer to each question is its own, whatever order they come in', async () => {
  const { gateway, client, queries } = connect();
  const room = client.presence('room:1');
  const hall = client.presence('hall:1');
  const [first, second] = queries();
  expect([first!.channel, second!.channel]).toEqual(['room:1', 'hall:1']);

  gateway.link.send(
    { kind: 'presence', id: second!.id, channel: 'hall:1', count: 3 },
    { kind: 'presence', id: first!.id, channel: 'room:1', count: 2, members: ['u-1', 'u-2'] },
  );

  expect(await room).toEqual({ count: 2, members: ['u-1', 'u-2'] });
  expect(await hall).toEqual({ count: 3 });
});

test('a refusal, a lost connection and silence reject, each by its code', async () => {
  const { gateway, clock, client, queries } = connect();
  const refused = client.presence('room:1');
  gateway.link.send({ kind: 'error', code: 'not_subscribed', message: '', id: queries()[0]!.id });
  await expect(refused).rejects.toMatchObject({ code: 'not_subscribed' });

  const silent = client.presence('room:1');
  clock.advance(10_000);
  await expect(silent).rejects.toMatchObject({ code: 'no_answer' });

  const lost = client.presence('room:1');
  gateway.link.close(1006);
  await expect(lost).rejects.toMatchObject({ code: 'connection_lost' });
  await expect(client.presence('room:1')).rejects.toMatchObject({ code: 'not_connected' });
});

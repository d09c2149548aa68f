// Asking who is on a channel, as of the answer (I4): those who are on it, and as much as the catalogue lets them know.
import { channel, family, filter, moment, mustCompileCatalogue, param, type Catalogue } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { ChannelMembers } from '../presence/channel-members.ts';
import { ChannelPresence } from '../presence/channel-presence.ts';
import { auth, kinds, openBench, subscribe } from './session.fixture.ts';
import { settle, tokenOf } from './pod.fixture.ts';
import type { Pod } from './pod.ts';

const room = family({
  name: 'room',
  subject: 'room.{roomId}',
  stream: { name: 'ORDER', maxAgeMs: 1_000 },
  types: { said: moment({ type: 'object' }) },
});
const by = filter(room, { roomId: param('roomId') });
const CATALOGUE: Catalogue = mustCompileCatalogue({
  families: [room],
  channels: [
    channel({
      name: 'room:{roomId}',
      first: 'none',
      presence: 'members',
      access: [{ roles: ['guest'], filters: [by] }],
    }),
    channel({ name: 'hall:{roomId}', first: 'none', presence: 'count', access: [{ roles: 'any', filters: [by] }] }),
    channel({ name: 'booth:{roomId}', first: 'none', access: [{ roles: 'any', filters: [by] }] }),
  ],
  role: { claim: 'role', fallback: 'guest' },
});
const GUEST = { subject: 'u-1', role: 'guest', claims: {} };

const open = async () => {
  const clock = new ManualClock();
  const local = new ChannelMembers();
  let open: (() => void)[] = [];
  let isAway = false;
  const presence = new ChannelPresence({
    local,
    clock,
    podId: 'pod',
    alivePods: () => 1,
    modeOf: (name) => CATALOGUE.channels.get(name.split(':')[0]!)?.definition.presence,
    roundup: {
      ask: (question, onAnswer) => {
        if (isAway) throw new Error('away');
        open.push(() => onAnswer(JSON.parse(presence.answer(question))));
        return () => {};
      },
    },
  });
  const bench = await openBench({ catalogue: CATALOGUE }, GUEST);
  (bench.pod.pod as { presence?: Pod['presence'] }).presence = presence;
  const ask = (id: number, name: string) => bench.say({ kind: 'presence_query', id, channel: name });
  /** The pods answer. */
  const answer = async () => {
    for (const each of open) each();
    open = [];
    clock.advance(1_000);
    await settle();
    return bench.connection.read();
  };
  return { ...bench, local, ask, answer, goAway: () => (isAway = true) };
};

test('members where they may be named, else their number', async () => {
  const { say, ask, answer } = await open();
  await say(subscribe(1, 'room:1'), subscribe(2, 'hall:1'));

  await ask(3, 'room:1');
  expect(await answer()).toEqual([{ kind: 'presence', id: 3, channel: 'room:1', count: 1, members: ['u-1'] }]);
  await ask(4, 'hall:1');
  expect(await answer()).toEqual([{ kind: 'presence', id: 4, channel: 'hall:1', count: 1 }]);
});

test('only for who is on the channel, and where the catalogue lets them ask', async () => {
  const { say, ask } = await open();
  await say(subscribe(1, 'booth:1'));

  expect(kinds(await ask(2, 'room:1'))).toEqual(['error not_subscribed']);
  expect(kinds(await ask(3, 'room'))).toEqual(['error not_subscribed']);
  expect(kinds(await ask(4, 'booth:1'))).toEqual(['error forbidden']);
});

test('who was taken off meanwhile is told nothing', async () => {
  const { say, ask, answer } = await open();
  await say(subscribe(1, 'room:1'), subscribe(2, 'hall:1'));
  await ask(3, 'room:1');
  expect(kinds(await say(auth(4, tokenOf({ ...GUEST, role: 'other' }))))).toEqual(['ok', 'unsubscribed forbidden']);
  expect(kinds(await answer())).toEqual(['error not_subscribed']);

  await ask(5, 'hall:1');
  await say({ kind: 'unsubscribe', id: 6, channel: 'hall:1' }, subscribe(7, 'hall:1'));
  expect(kinds(await answer())).toEqual(['error not_subscribed']);
});

test('when the other pods cannot be asked that is said', async () => {
  const { say, ask, goAway } = await open();
  await say(subscribe(1, 'room:1'));
  goAway();

  expect(kinds(await ask(2, 'room:1'))).toEqual(['error unavailable']);
});

test('who leaves, by whatever way, is no member', async () => {
  const { say, local, connection } = await open();
  await say(subscribe(1, 'room:1'), subscribe(2, 'hall:1'), subscribe(3, 'booth:1'));
  expect([local.count('room:1'), local.size]).toEqual([1, 2]);
  await say({ kind: 'unsubscribe', id: 4, channel: 'room:1' });
  expect(local.count('room:1')).toBe(0);

  connection.break();
  expect(local.size).toBe(0);
});

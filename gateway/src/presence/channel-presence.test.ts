// Who is on a channel: what one pod knows, and what several make of it.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { ChannelMembers } from './channel-members.ts';
import { ChannelPresence, MAX_MEMBERS, sum, type PresenceMode } from './channel-presence.ts';

const MODES: Record<string, PresenceMode> = { room: 'members', hall: 'count' };

const createFleet = (pods: number, alivePods = pods) => {
  const clock = new ManualClock();
  const questions: string[] = [];
  const fleet: ChannelPresence[] = [];
  for (let at = 0; at < pods; at++) {
    fleet.push(
      new ChannelPresence({
        local: new ChannelMembers(),
        clock,
        podId: `pod-${at}`,
        alivePods: () => alivePods,
        modeOf: (channel) => MODES[channel.split(':')[0]!],
        roundup: {
          ask: (question, onAnswer) => {
            questions.push(question);
            for (const pod of fleet) onAnswer(JSON.parse(pod.answer(question)));
            return () => {};
          },
        },
      }),
    );
  }
  return { clock, questions, fleet };
};

describe('on one pod', () => {
  test('connections of a user count once, until the last one leaves', () => {
    const members = new ChannelMembers();
    members.join('room:1', 'u-1');
    members.join('room:1', 'u-1');
    members.join('room:1', 'u-2');
    members.leave('room:1', 'u-1');
    expect([members.count('room:1'), members.some('room:1', 10)]).toEqual([2, ['u-1', 'u-2']]);
    members.leave('room:1', 'u-1');
    members.leave('room:1', 'u-2');
    members.leave('room:1', 'u-2');
    expect([members.count('room:1'), members.size]).toEqual([0, 0]);
  });

  test('channels that nobody may ask about are not kept', () => {
    const { fleet } = createFleet(1);

    expect(fleet[0]!.attend('booth:1', 'u-1')).toBeUndefined();
  });
});

describe('over several', () => {
  test('users on two pods count once, and the list is sorted', async () => {
    const { clock, fleet } = createFleet(3);
    fleet[0]!.attend('room:1', 'u-2');
    fleet[1]!.attend('room:1', 'u-2');
    const leave = fleet[2]!.attend('room:1', 'u-1')!;
    fleet[2]!.attend('room:2', 'u-3');
    const asked = fleet[1]!.of('room:1');
    clock.advance(100);
    expect(await asked).toEqual({ count: 2, members: ['u-1', 'u-2'] });

    leave();
    clock.advance(1_000);
    const again = fleet[1]!.of('room:1');
    clock.advance(100);
    expect(await again).toEqual({ count: 1, members: ['u-2'] });
  });

  test('a pod that does not answer is waited for, not for ever', async () => {
    const { clock, fleet } = createFleet(1, 2);
    fleet[0]!.attend('room:1', 'u-1');
    let isAnswered = false;
    const asked = fleet[0]!.of('room:1');
    void asked.then(() => (isAnswered = true));
    clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);

    clock.advance(1_000);
    expect(await asked).toEqual({ count: 1, members: ['u-1'] });
  });

  test('many who ask at once are one question, and its answer serves for a moment', async () => {
    const { clock, fleet, questions } = createFleet(1);
    const asked = [fleet[0]!.of('room:1'), fleet[0]!.of('room:1')];
    clock.advance(100);
    await Promise.all([...asked, fleet[0]!.of('room:1')]);
    expect(questions.length).toBe(1);

    clock.advance(1_000);
    void fleet[0]!.of('room:1');
    expect(questions.length).toBe(2);
  });

  test('when nobody can be asked the next one asks again', async () => {
    let isAway = true;
    const presence = new ChannelPresence({
      local: new ChannelMembers(),
      clock: new ManualClock(),
      podId: 'pod',
      alivePods: () => 1,
      modeOf: () => 'count',
      roundup: {
        ask: () => {
          if (isAway) throw new Error('away');
          return () => {};
        },
      },
    });
    await expect(presence.of('hall:1')).rejects.toThrow('away');
    isAway = false;

    expect(presence.of('hall:1')).not.toBe(presence.of('room:1'));
  });

  test('lists are limited, counts go on', () => {
    const members = Array.from({ length: MAX_MEMBERS }, (_, at) => `u-${at}`);

    expect(sum([{ count: 5_000, members }])).toEqual({ count: 5_000, members: [...members].sort() });
    const both = sum([
      { count: 1_500, members },
      { count: 10, members: members.slice(0, 10) },
    ]);
    expect(both.count).toBe(1_500);
    expect(
      sum([
        { count: 600, members: members.slice(0, 600) },
        { count: 600, members: members.slice(400) },
      ]),
    ).toEqual({
      count: 1_000,
      members: [...members].sort(),
    });
  });

  test('what is no answer is ignored', async () => {
    const clock = new ManualClock();
    const presence = new ChannelPresence({
      local: new ChannelMembers(),
      clock,
      podId: 'pod',
      alivePods: () => 1,
      modeOf: () => 'members',
      roundup: {
        ask: (_, onAnswer) => {
          for (const odd of [undefined, null, 'x', {}, { pod: 'p', count: 'many', members: [] }]) onAnswer(odd);
          onAnswer({ pod: 'p', count: 1, members: [{}] });
          return () => {};
        },
      },
    });
    const asked = presence.of('room:1');
    clock.advance(2_000);

    expect(await asked).toEqual({ count: 0, members: [] });
  });
});

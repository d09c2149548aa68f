// What only passes by: to whom, and how much of it (I5).
import { packValue, type DownFrame } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { createDelivery, FakeSubscriber, resolve } from './delivery.fixture.ts';
import type { LiveChannel } from './live-channel.ts';
import { MARKET } from './market.fixture.ts';

const SUBJECT = 'eph.chat.c-1.u-1.typing';
const DATA = { chatId: 'c-1', userId: 'u-1', isTyping: true, timestamp: '2026-01-01T00:00:00Z' };
const who = (subject: string, role = 'customer') => ({ subject, role, claims: {} });
const frame = (channel = 'chat:c-1'): DownFrame => ({ kind: 'ephemeral', channel, type: 'chat.typing', data: DATA });

const setUp = (gate = {}) => {
  const delivery = createDelivery({ catalogue: MARKET, gate: { validate: 'all', onInvalid: 'drop', ...gate } });
  const join = (name: string, user: string, role?: string, encoding: 'msgpack' | 'json' = 'msgpack') => {
    const channel: LiveChannel = delivery.channels.acquire(resolve(who(user, role), name, MARKET));
    const subscriber = new FakeSubscriber(encoding, user);
    delivery.channels.join(channel, subscriber);
    return { channel, subscriber, leave: () => delivery.channels.leave(channel, subscriber) };
  };
  const receive = (subject = SUBJECT, payload: unknown = DATA, from?: string) =>
    delivery.ephemeral.receive(subject, payload instanceof Uint8Array ? payload : packValue(payload), from);
  return { ...delivery, join, receive };
};

describe('an ephemeral event', () => {
  test('reaches whoever is live on a channel that carries it, in either encoding, at once', () => {
    const { join, receive, ephemeral } = setUp();
    const [packed, json] = [join('chat:c-1', 'u-2'), join('chat:c-1', 'u-3', undefined, 'json')];
    const agent = join('chat:c-9', 'a-1', 'agent');
    const [elsewhere, onlyStored] = [join('chat:c-2', 'u-2'), join('said:u-1', 'u-1')];
    receive();

    expect(packed.subscriber.passed).toEqual([frame()]);
    expect(json.subscriber.passed).toEqual([frame()]);
    // An agent sees every chat under whatever name.
    expect(agent.subscriber.passed).toEqual([frame('chat:c-9')]);
    expect(elsewhere.subscriber.passed).toEqual([]);
    expect(onlyStored.subscriber.passed).toEqual([]);
    expect(ephemeral.counts).toMatchObject({ received: 1, sent: 3, slow: 0 });
  });

  test('reaches no device of the user who caused it', () => {
    const { join, receive } = setUp();
    const [phone, tablet, other] = [join('chat:c-1', 'u-1'), join('chat:c-1', 'u-1'), join('chat:c-1', 'u-2')];
    receive(SUBJECT, DATA, 'u-1');

    expect(phone.subscriber.passed).toEqual([]);
    expect(tablet.subscriber.passed).toEqual([]);
    expect(other.subscriber.passed).toEqual([frame()]);
  });

  test('is not kept for a socket that has something else to send, and nobody falls behind for it', () => {
    const { join, receive, ephemeral } = setUp();
    const { channel, subscriber } = join('chat:c-1', 'u-2');
    subscriber.isFull = true;
    receive();
    subscriber.isFull = false;

    expect(subscriber.passed).toEqual([]);
    expect(subscriber.behindAt).toEqual([]);
    expect(channel.liveCount).toBe(1);
    expect(ephemeral.counts).toMatchObject({ sent: 0, slow: 1 });
  });

  test('is not for those who left', () => {
    const { join, receive, ephemeral } = setUp();
    const { subscriber, leave } = join('chat:c-1', 'u-2');
    leave();
    receive();

    expect(subscriber.passed).toEqual([]);
    expect(ephemeral.counts).toMatchObject({ received: 1, sent: 0 });
  });

  test.each<[string, unknown]>([
    ['malformed', Uint8Array.of(0x81, 0xa1)],
    ['no object', Uint8Array.of(0x93, 1, 2, 3)],
    ['against its schema', { ...DATA, isTyping: 'yes' }],
  ])('that is %s reaches nobody', (_, payload) => {
    const { join, receive, ephemeral, refusals } = setUp();
    const { subscriber } = join('chat:c-1', 'u-2');
    receive(SUBJECT, payload);

    expect(subscriber.passed).toEqual([]);
    expect(ephemeral.counts.refused).toBe(1);
    expect(refusals).toHaveLength(1);
  });

  test('that is larger than such an event may be reaches nobody', () => {
    const { join, receive, ephemeral } = setUp();
    const { subscriber } = join('chat:c-1', 'u-2');
    receive(SUBJECT, { ...DATA, filler: 'x'.repeat(20_000) });

    expect(subscriber.passed).toEqual([]);
    expect(ephemeral.counts.tooLarge).toBe(1);
  });

  test('of a stored type has no listener', () => {
    const { join, receive, ephemeral } = setUp({ onInvalid: 'pass' });
    const { subscriber } = join('chat:c-1', 'u-2');
    receive('eph.chat.c-1.u-1.message', { text: 'forged' });
    receive('eph.chat.c-1.u-1.unheard_of', {});

    expect(subscriber.passed).toEqual([]);
    expect(ephemeral.counts).toMatchObject({ received: 2, sent: 0, refused: 0 });
  });

  test('is dropped and counted when there are more in a second than the pod takes', () => {
    const { join, receive, ephemeral, clock } = setUp();
    const { subscriber } = join('chat:c-1', 'u-2');
    for (let i = 0; i < 130; i++) receive();
    expect(subscriber.passed).toHaveLength(100);
    expect(ephemeral.counts.overLimit).toBe(30);
    clock.advance(1_000);
    receive();

    expect(subscriber.passed).toHaveLength(101);
  });
});

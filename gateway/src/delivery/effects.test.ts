// Commands that become ephemeral events; what a client names enters no subject unchecked (I9).
import { unpackValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { Effects, type EffectSender } from './effects.ts';
import { MARKET } from './market.fixture.ts';

const NOW_MS = 1_700_000_000_000;
const NOW = new Date(NOW_MS).toISOString();
const TYPING = { name: 'chat.typing' };

const setUp = (isAdmitted = true, name = 'chat:c-1') => {
  const published: { subject: string; data: unknown; from: string }[] = [];
  const link = { isUp: true };
  const effects = new Effects({
    catalogue: MARKET,
    clock: { now: () => NOW_MS },
    publish: (subject, payload, from) => {
      if (link.isUp) published.push({ subject, data: unpackValue(payload), from });
      return link.isUp;
    },
  });
  const sender: EffectSender = {
    principal: { subject: 'u-1', role: 'customer', claims: { name: 'Ada' } },
    subscriptions: [{ name, isAdmitted }],
  };
  const type = (isTyping: boolean, chatId: unknown = 'c-1') => effects.apply(sender, TYPING, { chatId, isTyping });
  return { effects, sender, published, link, type };
};

const typed = (isTyping: boolean) => ({
  subject: 'eph.chat.c-1.u-1.typing',
  data: { chatId: 'c-1', userId: 'u-1', userName: 'Ada', isTyping, timestamp: NOW },
  from: 'u-1',
});

describe('a command with an effect', () => {
  test('becomes an ephemeral event of who sent it and when', () => {
    const { type, published } = setUp();

    expect(type(true)).toBeUndefined();
    expect(published).toEqual([typed(true)]);
  });

  test('leaves out what the token says is nothing: it is no text', () => {
    const { effects, sender, published } = setUp();
    const nameless = { ...sender, principal: { ...sender.principal!, claims: { name: null } } };
    effects.apply(nameless, TYPING, { chatId: 'c-1', isTyping: true });

    expect(published[0]?.data).toEqual({ chatId: 'c-1', userId: 'u-1', isTyping: true, timestamp: NOW });
  });

  test.each([
    ['on another channel', true, 'chat:c-2'],
    ['not let in yet, or not any more', false, 'chat:c-1'],
  ])('is refused to one who is %s', (_, isAdmitted, name) => {
    const { type, published } = setUp(isAdmitted, name);

    expect(type(true)).toBe('not_subscribed');
    expect(published).toEqual([]);
  });

  test.each([['c.1'], ['*'], ['>'], ['c-1:x'], [''], [7], [undefined]])('cannot name the channel %j', (chatId) => {
    const { effects, sender, published } = setUp(true, `chat:${String(chatId)}`);

    expect(effects.apply(sender, TYPING, { chatId, isTyping: true })).toBe('invalid_command');
    expect(published).toEqual([]);
  });

  test('cannot name who sends it', () => {
    const { effects, sender, published } = setUp();
    effects.apply(sender, TYPING, {
      chatId: 'c-1',
      isTyping: true,
      userId: 'u-2',
      userName: 'Eve',
      timestamp: 'never',
    });

    expect(published).toEqual([typed(true)]);
  });

  test('says so when there is no way out', () => {
    const { type, link, effects } = setUp();
    link.isUp = false;

    expect(type(true)).toBe('unavailable');
    expect(effects.standingCount).toBe(0);
  });
});

describe('the end state', () => {
  test('is told when the connection goes while the last one said otherwise, once', () => {
    const { type, effects, sender, published } = setUp();
    type(true);
    effects.ended(sender);
    effects.ended(sender);

    expect(published).toEqual([typed(true), typed(false)]);
    expect(effects.standingCount).toBe(0);
  });

  test('is told when the sender leaves the channel, not when it leaves another', () => {
    const { type, effects, sender, published } = setUp();
    type(true);
    effects.left(sender, 'chat:c-2');
    expect(published).toEqual([typed(true)]);
    effects.left(sender, 'chat:c-1');

    expect(published).toEqual([typed(true), typed(false)]);
  });

  test('needs not be told where it was said', () => {
    const { type, effects, sender, published } = setUp();
    type(true);
    type(false);
    effects.ended(sender);

    expect(published).toEqual([typed(true), typed(false)]);
    expect(effects.standingCount).toBe(0);
  });
});

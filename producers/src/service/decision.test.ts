import { expect, test } from 'vitest';
import {
  causeOfCommand,
  causeOfEvent,
  causeOfTick,
  contextOf,
  decodeRemainder,
  encodeRemainder,
  messageIdOf,
  parseMessageId,
} from './decision.ts';

test('nothing left to do needs no header', () => {
  expect(encodeRemainder({ events: [], effects: [] })).toBeUndefined();
});

test.each(['', '{', 'null', '[]', '{"events":1,"effects":[]}', '{"events":[]}', '{"events":[null],"effects":[]}'])(
  '%j is no remainder',
  (header) => {
    expect(decodeRemainder(header)).toBeUndefined();
  },
);

test('causes tell users, commands, services, events and keys apart', () => {
  const causes = [
    causeOfCommand('a.b', 'u-1', 'c-1'),
    causeOfCommand('a.b', 'u-2', 'c-1'),
    causeOfCommand('a.c', 'u-1', 'c-1'),
    causeOfEvent('cart', 'SHOP', 1),
    causeOfEvent('cart', 'SHOP', 1, 'u-1'),
    causeOfEvent('orders', 'SHOP', 1),
    causeOfTick('cart', 'u-1'),
  ];
  expect(new Set(causes).size).toBe(causes.length);
  for (const cause of causes) expect(parseMessageId(messageIdOf(cause, 3))).toEqual({ cause, index: 3 });
  expect(parseMessageId('3f9a-1')).toBeUndefined();
});

test('the same cause gets the same ids, each once', () => {
  const ids = (cause: string): string[] => {
    const context = contextOf(cause, 0);
    return [context.id('o'), context.id('o'), context.id('pay')];
  };
  expect(ids('one')).toEqual(ids('one'));
  expect(new Set([...ids('one'), ...ids('two')]).size).toBe(6);
  expect(contextOf('one', 0).timestamp).toBe('1970-01-01T00:00:00.000Z');
});

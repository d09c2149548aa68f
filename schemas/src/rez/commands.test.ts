// What a client may say, and what it may not.
import { Compile } from 'typebox/compile';
import { describe, expect, test } from 'vitest';
import { mustCompileCatalogue } from '../catalogue/compile.ts';
import { parseSubjectToken } from '../catalogue/subject.ts';
import { rez, type RezCommands } from './catalogue.ts';

const { commands } = mustCompileCatalogue(rez);
const validators = new Map([...commands.values()].map(({ name, schema }) => [name, Compile(schema)]));
const isValid = (name: string, data: unknown): boolean => validators.get(name)!.Check(data);
const location = { latitude: 48.1, longitude: 11.5 };

/** One of each, at its simplest. */
const EXAMPLES: { readonly [Name in keyof RezCommands]: RezCommands[Name] } = {
  'chat.send_message': { chatId: 'c-1', message: 'hi' },
  'chat.read': { chatId: 'c-1', messageIds: ['m-1'] },
  'chat.typing': { chatId: 'c-1', isTyping: true },
  'cart.add_item': { productId: 'p-1' },
  'cart.update_item': { itemId: 'i-1', quantity: 2 },
  'cart.remove_item': { itemId: 'i-1' },
  'cart.clear': {},
  'feed.create_post': { content: 'hi' },
  'feed.like_post': { postId: 'p-1' },
  'feed.comment_post': { postId: 'p-1', comment: 'hi' },
  'feed.follow_user': { userId: 'u-2' },
  'activity.create': { title: 'Run' },
  'activity.join': { activityId: 'a-1' },
  'activity.leave': { activityId: 'a-1' },
  'activity.like': { activityId: 'a-1' },
  'activity.unlike': { activityId: 'a-1' },
  'order.place': { merchantId: 'm-1', items: [{ productId: 'p-1', quantity: 1 }] },
  'order.cancel': { orderId: 'o-1' },
  'order.update_status': { orderId: 'o-1', status: 'out_for_delivery' },
  'delivery.report_location': { orderId: 'o-1', location },
  'promotion.buy': { saleId: 's-1', productId: 'p-1' },
  'wallet.redeem': { amount: 5 },
  'notification.mark_read': { notificationIds: ['n-1'] },
};

test.each(Object.entries(EXAMPLES))(
  '%s is accepted, and unknown fields and a timestamp of the client with it',
  (name, data) => {
    expect(isValid(name, data)).toBe(true);
    expect(isValid(name, { ...data, timestamp: 5, zone: 'north' })).toBe(true);
  },
);

test.each(Object.entries(EXAMPLES))('%s with a field of the wrong type is refused', (name, data) => {
  for (const field of Object.keys(data)) {
    for (const wrong of [null, 7.5, {}, '']) expect(isValid(name, { ...data, [field]: wrong })).toBe(false);
    const { [field]: _, ...rest } = data as Record<string, unknown>;
    expect([field, isValid(name, rest)]).toEqual([field, false]);
  }
});

test('there is an example of every command', () => {
  expect(Object.keys(EXAMPLES).sort()).toEqual([...commands.keys()].sort());
});

describe('texts', () => {
  const isText = (message: string): boolean => isValid('chat.send_message', { chatId: 'c-1', message });

  test.each(['hi', ' hi ', 'Grüße\n\tund 👋🏽', '<b>not markup</b>', '你好', 'مرحبا\u200f'])(
    '%j is a text',
    (message) => {
      expect(isText(message)).toBe(true);
    },
  );

  test.each(['', ' ', '\n\t', '\u00a0', '\u2003', 'a\u0000b', 'a\u001b[31m', 'a\rb', 'a\u007f', 'a\u0085', 'a\ud800'])(
    '%j is none',
    (message) => {
      expect(isText(message)).toBe(false);
    },
  );

  test('there is an end to it', () => {
    expect(isText('x'.repeat(4_000))).toBe(true);
    expect(isText('x'.repeat(4_001))).toBe(false);
  });

  test('a long text of nothing is refused as fast as a short one', () => {
    // A pattern that tried every split of it would not end while anybody waits.
    expect(isText(' '.repeat(4_000))).toBe(false);
    expect(isText(`${'x '.repeat(1_999)}\u0000`)).toBe(false);
  });

  test.each(['feed.create_post content', 'feed.comment_post comment', 'activity.create title', 'order.cancel reason'])(
    '%s is one too',
    (path) => {
      const [name = '', field = ''] = path.split(' ');
      const example = EXAMPLES[name as keyof RezCommands];

      expect(isValid(name, { ...example, [field]: 'a\u0000b' })).toBe(false);
      expect(isValid(name, { ...example, [field]: 'fine' })).toBe(true);
    },
  );
});

describe('attachments', () => {
  const isAttached = (url: unknown, type: unknown = 'image'): boolean =>
    isValid('chat.send_message', { chatId: 'c-1', message: 'look', attachments: [{ type, url, name: 'cat.png' }] });

  test.each([
    'https://cdn.example.com/cat.png',
    'https://cdn.example.com',
    'https://cdn.example.com:8443/a?b=c#d',
    'https://bücher.example/ä',
    'https://[::1]/x',
  ])('%s', (url) => {
    expect(isAttached(url)).toBe(true);
  });

  test.each([
    'http://cdn.example.com/cat.png',
    'HTTPS://cdn.example.com/cat.png',
    ' https://cdn.example.com',
    'https://',
    'https:///cat.png',
    'https:cdn.example.com',
    '//cdn.example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://user:password@cdn.example.com/',
    'https://cdn.example.com/a b',
    'https://cdn.example.com/\n',
    'https://cdn.example.com/"onload="x',
    'https://cdn.example.com/<script>',
    'https://cdn.example.com\\@evil.example',
    `https://cdn.example.com/${'x'.repeat(2_100)}`,
  ])('not %s', (url) => {
    expect(isAttached(url)).toBe(false);
  });

  test('of two types, ten at most', () => {
    const many = (count: number): unknown[] =>
      Array.from({ length: count }, () => ({ type: 'file', url: 'https://a.b' }));

    expect(isAttached('https://a.b', 'file')).toBe(true);
    expect(isAttached('https://a.b', 'video')).toBe(false);
    expect(isValid('chat.send_message', { chatId: 'c-1', message: 'hi', attachments: many(10) })).toBe(true);
    expect(isValid('chat.send_message', { chatId: 'c-1', message: 'hi', attachments: many(11) })).toBe(false);
  });
});

test.each(['x'.repeat(128), '👋'.repeat(32), 'auth0|a%2Eb', '!"#$%&()+,-/09:;<=?@AZ[]^_`az{|}~', '__proto__'])(
  '%j is an id, and a token of a subject',
  (id) => {
    expect(parseSubjectToken(id).ok).toBe(true);
    expect(isValid('chat.typing', { chatId: id, isTyping: true })).toBe(true);
  },
);

test.each(['', 'a.b', '*', '>', 'a b', 'a\u0000', 'a\n', 'x'.repeat(129), 'ü'.repeat(65), '👋'.repeat(33)])(
  '%j is no id',
  (id) => {
    expect(isValid('chat.typing', { chatId: id, isTyping: true })).toBe(false);
    expect(isValid('chat.read', { chatId: 'c-1', messageIds: [id] })).toBe(false);
  },
);

test.each([
  ['cart.add_item', { productId: 'p-1', quantity: 0 }],
  ['cart.add_item', { productId: 'p-1', quantity: -1 }],
  ['cart.add_item', { productId: 'p-1', quantity: 1.5 }],
  ['cart.add_item', { productId: 'p-1', quantity: 1_001 }],
  ['cart.update_item', { itemId: 'i-1', quantity: 0 }],
  ['order.place', { merchantId: 'm-1', items: [] }],
  ['chat.read', { chatId: 'c-1', messageIds: [] }],
  ['delivery.report_location', { orderId: 'o-1', location: { latitude: 91, longitude: 0 } }],
  ['order.update_status', { orderId: 'o-1', status: 'Out for delivery' }],
])('out of bounds: %s %j', (name, data) => {
  expect(isValid(name, data)).toBe(false);
});

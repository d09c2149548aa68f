// A small domain of members: chats that take a grant, and channels that clients are joined to. As a module, since the
// gateway under test is a process that is told of it by path.
import { catalogue, channel, claim, family, filter, moment, param, state, text } from '@sluice/schemas';

const DAY_MS = 86_400_000;
const TEXT = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };

const chat = family({
  name: 'chat',
  subject: 'chat.{chatId}.{userId}',
  stream: { name: 'CHAT', maxAgeMs: DAY_MS },
  types: { message: moment(TEXT) },
});

const notice = family({
  name: 'notice',
  subject: 'notice.{userId}',
  stream: { name: 'NOTICE', maxAgeMs: DAY_MS },
  types: { created: moment(TEXT), balance: state(TEXT) },
});

const shop = family({
  name: 'shop',
  subject: 'shop.{merchantId}',
  stream: { name: 'NOTICE', maxAgeMs: DAY_MS },
  types: { opened: state(TEXT) },
});

const ofChat = filter(chat, { chatId: param('chatId') });

export const definition = catalogue({
  families: [chat, notice, shop],
  channels: [
    channel({
      name: 'chat:{chatId}',
      first: { last: 50 },
      access: [
        { roles: ['agent'], filters: [ofChat] },
        // Auditors need a membership, and see only what they wrote themselves.
        {
          roles: ['auditor'],
          isGranted: true,
          filters: [filter(chat, { chatId: param('chatId'), userId: claim('sub') })],
        },
        { roles: 'any', isGranted: true, filters: [ofChat] },
      ],
    }),
    channel({
      name: 'user:{userId}',
      owner: { userId: claim('sub') },
      plain: { userId: claim('sub') },
      joined: 'any',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(notice, { userId: param('userId') })] }],
    }),
    channel({
      name: 'shop:{merchantId}',
      owner: { merchantId: claim('merchantId') },
      plain: { merchantId: claim('merchantId') },
      joined: ['merchant'],
      first: 'states',
      access: [{ roles: ['merchant'], filters: [filter(shop, { merchantId: param('merchantId') })] }],
    }),
    channel({
      name: 'lounge:{room}',
      plain: { room: text('main') },
      joined: ['guest'],
      first: 'none',
      access: [{ roles: ['guest'], isGranted: true, filters: [filter(chat, { chatId: param('room') })] }],
    }),
  ],
  role: { claim: 'role', fallback: 'customer' },
});

export { definition as catalogue };

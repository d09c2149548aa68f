// A small catalogue of all that is out of the ordinary: types that are conflated, that expire, and that only pass by.
import {
  catalogue,
  channel,
  claim,
  command,
  ephemeral,
  family,
  filter,
  moment,
  mustCompileCatalogue,
  param,
  state,
  type Catalogue,
} from '@sluice/schemas';
import { Type } from 'typebox';

export const MOVED_EVERY_MS = 1_000;
export const STOCK_EVERY_MS = 500;

const ride = family({
  name: 'ride',
  subject: 'ride.{rideId}',
  stream: { name: 'RIDE', maxAgeMs: 3_600_000 },
  types: {
    moved: state(Type.Object({ at: Type.Number() }), { conflate: { everyMs: MOVED_EVERY_MS } }),
    status: state(Type.Object({ status: Type.String() })),
  },
});

const sale = family({
  name: 'sale',
  subject: 'sale.{saleId}',
  stream: { name: 'SHOP', maxAgeMs: 3_600_000 },
  types: {
    started: state(Type.Object({ endsAt: Type.String() }), { expires: { field: 'endsAt' } }),
    stock: state(Type.Object({ left: Type.Number() }), { conflate: { everyMs: STOCK_EVERY_MS } }),
    offer: state(Type.Object({ until: Type.Optional(Type.String()) }), {
      conflate: { everyMs: STOCK_EVERY_MS },
      expires: { field: 'until' },
    }),
  },
});

const chat = family({
  name: 'chat',
  subject: 'chat.{chatId}.{userId}',
  stream: { name: 'CHAT', maxAgeMs: 3_600_000 },
  types: {
    message: moment(Type.Object({ text: Type.String() })),
    typing: ephemeral(
      Type.Object({
        chatId: Type.String(),
        userId: Type.String(),
        userName: Type.Optional(Type.String()),
        isTyping: Type.Boolean(),
        timestamp: Type.String(),
      }),
    ),
  },
});

export const MARKET: Catalogue = mustCompileCatalogue(
  catalogue({
    families: [ride, sale, chat],
    channels: [
      channel({
        name: 'ride:{rideId}',
        first: 'none',
        access: [{ roles: 'any', filters: [filter(ride, { rideId: param('rideId') })] }],
      }),
      channel({
        name: 'town',
        first: 'none',
        access: [{ roles: 'any', filters: [filter(ride, {}), filter(sale, {})] }],
      }),
      channel({
        name: 'chat:{chatId}',
        first: 'none',
        access: [
          { roles: ['agent'], filters: [filter(chat, {})] },
          { roles: 'any', filters: [filter(chat, { chatId: param('chatId') })] },
        ],
      }),
      channel({
        name: 'said:{userId}',
        first: 'none',
        owner: { userId: claim('sub') },
        access: [{ roles: 'any', filters: [filter(chat, { userId: param('userId') }, ['message'])] }],
      }),
    ],
    commands: [
      command({
        name: 'chat.typing',
        schema: Type.Object({ chatId: Type.String(), isTyping: Type.Boolean() }),
        roles: 'any',
        offline: 'never_queued',
        effect: {
          type: 'chat.typing',
          channel: 'chat:{chatId}',
          keys: { chatId: { field: 'chatId' }, userId: { claim: 'sub' } },
          data: {
            chatId: { field: 'chatId' },
            userId: { claim: 'sub' },
            userName: { claim: 'name' },
            isTyping: { field: 'isTyping' },
            timestamp: 'now',
          },
          atEnd: { isTyping: false },
        },
      }),
    ],
    role: { claim: 'role', fallback: 'customer' },
  }),
);

// A small domain of all that is out of the ordinary: types that are conflated, that expire, and that only pass by. As a
// module, since the gateway under test is a process that is told of it by path.
import { catalogue, channel, command, ephemeral, family, filter, moment, param, state } from '@sluice/schemas';

const HOUR_MS = 3_600_000;
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });
const string = { type: 'string' };
const number = { type: 'number' };

const ride = family({
  name: 'ride',
  subject: 'ride.{rideId}',
  stream: { name: 'RIDE', maxAgeMs: HOUR_MS },
  types: {
    moved: state(object({ at: number }), { conflate: { everyMs: 1_000 } }),
    status: state(object({ status: string })),
    // The same without conflation, for comparison.
    traced: moment(object({ at: number })),
  },
});

const sale = family({
  name: 'sale',
  subject: 'sale.{saleId}',
  stream: { name: 'SALE', maxAgeMs: HOUR_MS },
  types: {
    started: state(object({ title: string, endsAt: string }), { expires: { field: 'endsAt' } }),
    stock: state(object({ left: number }), { conflate: { everyMs: 500 } }),
  },
});

const chat = family({
  name: 'chat',
  subject: 'chat.{chatId}.{userId}',
  stream: { name: 'CHAT', maxAgeMs: HOUR_MS },
  types: {
    message: moment(object({ text: string })),
    typing: ephemeral(
      object({ chatId: string, userId: string, userName: string, isTyping: { type: 'boolean' }, timestamp: string }, [
        'chatId',
        'userId',
        'isTyping',
        'timestamp',
      ]),
    ),
    sound: ephemeral(object({ type: string })),
  },
});

export const definition = catalogue({
  families: [ride, sale, chat],
  channels: [
    channel({
      name: 'ride:{rideId}',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(ride, { rideId: param('rideId') })] }],
    }),
    channel({
      name: 'town',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(ride, {}), filter(sale, {})] }],
    }),
    channel({ name: 'sales', first: 'states', access: [{ roles: 'any', filters: [filter(sale, {})] }] }),
    channel({
      name: 'chat:{chatId}',
      first: 'none',
      access: [{ roles: 'any', filters: [filter(chat, { chatId: param('chatId') })] }],
    }),
  ],
  commands: [
    command({
      name: 'chat.typing',
      schema: object({ chatId: string, isTyping: { type: 'boolean' } }),
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
});

export { definition as catalogue };

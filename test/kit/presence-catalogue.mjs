// A small catalogue whose users come and go: under other names than the reference domain's, since the gateway knows none.
import { catalogue as define, channel, family, filter, moment, param, state } from '@sluice/schemas';

const Transition = {
  type: 'object',
  properties: { personId: { type: 'string' }, timestamp: { type: 'string' } },
  required: ['personId', 'timestamp'],
};

const person = family({
  name: 'person',
  subject: 'person.{personId}',
  stream: { name: 'PERSON', maxAgeMs: 3_600_000 },
  types: { came: state(Transition), went: state(Transition), renamed: moment({ type: 'object' }) },
});
const room = family({
  name: 'room',
  subject: 'room.{roomId}',
  stream: { name: 'ROOM', maxAgeMs: 3_600_000 },
  types: { said: moment({ type: 'object' }) },
});
const inRoom = { roles: 'any', filters: [filter(room, { roomId: param('roomId') })] };

export const catalogue = define({
  families: [person, room],
  channels: [
    channel({
      name: 'person:{personId}',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(person, { personId: param('personId') })] }],
    }),
    channel({ name: 'room:{roomId}', first: 'none', presence: 'members', access: [inRoom] }),
    channel({ name: 'hall:{roomId}', first: 'none', presence: 'count', access: [inRoom] }),
    channel({ name: 'booth:{roomId}', first: 'none', access: [inRoom] }),
  ],
  presence: { online: 'person.came', offline: 'person.went', key: 'personId' },
  role: { claim: 'role', fallback: 'guest' },
});

// A domain of one family, for tests of what clients do: notes, with commands and calls. Schemas are plain JSON Schema.
import { call, catalogue as define, channel, claim, command, family, filter, moment, param } from '@sluice/schemas';

const text = { type: 'string', minLength: 1, maxLength: 1_000 };
const object = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required });

const note = family({
  name: 'note',
  subject: 'note.{userId}.{noteId}',
  stream: { name: 'NOTE', maxAgeMs: 7 * 86_400_000 },
  types: { added: moment(object({ noteId: text, text, commandId: text }, ['noteId', 'text'])) },
});

export const catalogue = define({
  families: [note],
  channels: [
    channel({
      name: 'notes:{userId}',
      owner: { userId: claim('sub') },
      access: [{ roles: 'any', filters: [filter(note, { userId: param('userId') })] }],
      first: 'all',
    }),
  ],
  commands: [
    command({ name: 'note.add', schema: object({ text }), roles: 'any', offline: 'commutative' }),
    command({ name: 'note.drop', schema: object({ text }), roles: 'any', offline: 'last_wins' }),
    command({ name: 'note.ban', schema: object({ userId: text }), roles: ['admin'], offline: 'last_wins' }),
  ],
  calls: [
    call({
      name: 'note.count',
      request: object({ of: text }),
      answer: object({ count: { type: 'integer' } }),
      roles: 'any',
      timeoutMs: 5_000,
    }),
    call({ name: 'note.audit', request: object({}), answer: object({}), roles: ['admin'], timeoutMs: 5_000 }),
  ],
  actorClaims: ['name'],
  role: { claim: 'role', fallback: 'customer' },
});

// Which catalogues name transitions that a gateway can publish.
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { rez } from '../rez/catalogue.ts';
import { orders } from '../rez/orders.ts';
import { compileCatalogue, mustCompileCatalogue } from './compile.ts';
import { ephemeral, family, state, type PresenceDefinition } from './define.ts';
import { hasPresence } from './presence.ts';

const STREAM = { name: 'S', maxAgeMs: 1_000 };
const Any = Type.Object({});
const person = family({
  name: 'person',
  subject: 'person.{id}',
  stream: STREAM,
  types: { came: state(Any), went: state(Any), passing: ephemeral(Any) },
});
const place = family({
  name: 'place',
  subject: 'place.{id}.{room}',
  stream: STREAM,
  types: { came: state(Any), went: state(Any) },
});

const compile = (presence: PresenceDefinition): readonly string[] => {
  const compiled = compileCatalogue({
    families: [person, place],
    channels: [],
    presence,
    role: { claim: 'role', fallback: 'any' },
  });
  return compiled.ok ? [] : compiled.error;
};

test('the transitions of the reference domain', () => {
  expect(mustCompileCatalogue(rez).presence).toEqual({
    stream: 'USER',
    prefix: 'user',
    online: 'online',
    offline: 'offline',
    key: 'userId',
  });
  expect(hasPresence(mustCompileCatalogue(rez))).toBe(true);
});

test('a catalogue without any has no presence', () => {
  expect(mustCompileCatalogue(orders).presence).toBeUndefined();
  expect(hasPresence(mustCompileCatalogue(orders))).toBe(false);
});

test('other names than those of the reference domain will do', () => {
  expect(compile({ online: 'person.came', offline: 'person.went', key: 'id' })).toEqual([]);
});

test.each<[string, PresenceDefinition, string]>([
  ['no such type', { online: 'person.came', offline: 'person.gone', key: 'id' }, 'person.gone is not in the catalogue'],
  ['no such family', { online: 'x.came', offline: 'x.went', key: 'id' }, 'x.came is not in the catalogue'],
  ['ephemeral', { online: 'person.came', offline: 'person.passing', key: 'id' }, 'transitions are stored'],
  ['two families', { online: 'person.came', offline: 'place.went', key: 'id' }, 'two types of one family'],
  ['one type', { online: 'person.came', offline: 'person.came', key: 'id' }, 'two types of one family'],
  ['another key', { online: 'person.came', offline: 'person.went', key: 'sub' }, 'as {sub}'],
  ['more keys', { online: 'place.came', offline: 'place.went', key: 'id' }, 'and nothing else'],
])('refused: %s', (_, presence, fault) => {
  expect(compile(presence).join('\n')).toContain(fault);
});

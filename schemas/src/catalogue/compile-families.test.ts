import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { Any, faultsOf, STREAM, withFamily } from './faulty.fixture.ts';
import { ephemeral, moment, state, type CatalogueDefinition } from './define.ts';

const until = (schema: ReturnType<typeof Type.Object>): CatalogueDefinition =>
  withFamily({ types: { sale: state(schema, { expires: { field: 'endsAt' } }) } });

test.each<[string, CatalogueDefinition, RegExp]>([
  ['a family twice', withFamily({ name: 'a', subject: 'b.{x}.{y}' }), /family a is defined twice/],
  ['a subject without placeholders', withFamily({ subject: 'b' }), /subject "b" is not/],
  ['a subject with a wildcard', withFamily({ subject: 'b.*' }), /subject "b\.\*" is not/],
  ['a subject with a literal in the middle', withFamily({ subject: 'b.{x}.c' }), /subject "b\.\{x\}\.c" is not/],
  ['a subject that begins with a placeholder', withFamily({ subject: '{x}.b' }), /is not prefix/],
  [
    'the prefix of ephemeral events',
    withFamily({ subject: 'eph.{x}' }),
    /eph\.> is for ephemeral events, which no str/,
  ],
  ['the prefix of commands', withFamily({ subject: 'cmd.{x}' }), /cmd\.> is for commands/],
  ['the prefix of calls', withFamily({ subject: 'call.{x}' }), /call\.> is for calls/],
  ['a prefix twice', withFamily({ subject: 'a.{z}' }), /families a and b share the subject prefix "a"/],
  ['a placeholder twice', withFamily({ subject: 'b.{x}.{x}' }), /family b: a placeholder stands twice/],
  ['a type in camel case', withFamily({ types: { madeUp: state(Any) } }), /type b\.madeUp is not snake_case/],
  ['a type with a dot', withFamily({ types: { 'a.b': state(Any) } }), /type b\.a\.b is not snake_case/],
  ['a family without types', withFamily({ types: {} }), /family b has no types/],
  [
    'a guard of no placeholder',
    withFamily({ guard: { placeholders: { userId: ['sub'] } } }),
    /family b: the guard names "userId", which is no placeholder/,
  ],
  [
    'a guard without claims',
    withFamily({ guard: { placeholders: { x: [] } } }),
    /family b: the guard takes no claim for x/,
  ],
  [
    'a conflated ephemeral type',
    withFamily({ types: { x: ephemeral(Any, { conflate: { everyMs: 5 } }) } }),
    /type b\.x: ephemeral events are not conflated/,
  ],
  [
    'a conflated moment',
    withFamily({ types: { x: moment(Any, { conflate: { everyMs: 5 } }) } }),
    /type b\.x: conflation would swallow moments/,
  ],
  [
    'a conflation over no time',
    withFamily({ types: { x: state(Any, { conflate: { everyMs: 0 } }) } }),
    /type b\.x: conflate\.everyMs is not/,
  ],
  [
    'a conflation over more than a minute',
    withFamily({ types: { x: state(Any, { conflate: { everyMs: 60_001 } }) } }),
    /type b\.x: conflate\.everyMs is more than 60000/,
  ],
  [
    'an end by a field that is not there',
    withFamily({ types: { x: state(Any, { ends: { field: 'status', values: ['over'] } }) } }),
    /type b\.x: ends by "status", which is not in its schema/,
  ],
  [
    'an end by a number',
    withFamily({ types: { x: state(Type.Object({ at: Type.Number() }), { ends: { field: 'at', values: ['1'] } }) } }),
    /type b\.x: ends by "at", which is no text/,
  ],
  [
    'an end by no value',
    withFamily({ types: { x: state(Type.Object({ at: Type.String() }), { ends: { field: 'at', values: [] } }) } }),
    /type b\.x: ends by no value of "at"/,
  ],
  [
    'an end that a moment says',
    withFamily({
      types: { x: moment(Type.Object({ at: Type.String() }), { ends: { field: 'at', values: ['over'] } }) },
    }),
    /type b\.x: only a state says that something has ended/,
  ],
  [
    'an ephemeral type that expires',
    withFamily({ types: { x: ephemeral(Type.Object({ at: Type.String() }), { expires: { field: 'at' } }) } }),
    /type b\.x: ephemeral events do not expire/,
  ],
  ['expiry by a field that is not there', until(Any), /type b\.sale: expires by "endsAt", which is not in its schema/],
  [
    'expiry by what every object has',
    withFamily({ types: { x: state(Any, { expires: { field: 'constructor' } }) } }),
    /expires by "constructor", which is not in its schema/,
  ],
  ['expiry by a number', until(Type.Object({ endsAt: Type.Number() })), /"endsAt", which is no time in ISO 8601/],
  [
    'one stream with two ages',
    withFamily({ stream: { name: 'A', maxAgeMs: 2_000 } }),
    /family b: stream A is defined in two ways/,
  ],
  [
    'one stream with two sizes',
    withFamily({ stream: { ...STREAM, maxBytes: 5 } }),
    /family b: stream A is defined in two ways/,
  ],
  [
    'a stream whose name no stream can have',
    withFamily({ stream: { name: 'A.B', maxAgeMs: 1 } }),
    /no stream can be called "A\.B"/,
  ],
  ['the stream of commands', withFamily({ stream: { name: 'CMD', maxAgeMs: 1 } }), /stream name CMD is reserved/],
  ['the stream of a bucket', withFamily({ stream: { name: 'KV_grants', maxAgeMs: 1 } }), /name KV_grants is reserved/],
  ['the stream of objects', withFamily({ stream: { name: 'OBJ_x', maxAgeMs: 1 } }), /name OBJ_x is reserved/],
  ['a stream that keeps nothing', withFamily({ stream: { name: 'B', maxAgeMs: 0 } }), /would keep events for no time/],
  [
    'a stream without room',
    withFamily({ stream: { name: 'B', maxAgeMs: 1, maxBytes: 0 } }),
    /stream B would have room for nothing/,
  ],
])('refused: %s', (_, definition, fault) => {
  expect(faultsOf(definition)).toEqual([expect.stringMatching(fault)]);
});

test('what a family may have', () => {
  const definition = withFamily({
    guard: { placeholders: { x: ['sub', 'shop'] }, exempt: ['admin'] },
    types: {
      sale: state(Type.Object({ endsAt: Type.Optional(Type.String()) }), { expires: { field: 'endsAt' } }),
      stock: state(Any, { conflate: { everyMs: 500 } }),
      hint: moment(Type.Object({ endsAt: Type.String() }), { expires: { field: 'endsAt' } }),
    },
  });

  expect(faultsOf(definition)).toEqual([]);
});

// Whatever a client sends as a command: it is refused by code, or it is stored on one subject of its own user (I6, I9).
import { catalogue, command, commandSubject, mustCompileCatalogue } from '@sluice/schemas';
import fc from 'fast-check';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { createBench, CUSTOMER, hello } from '../sessions/session.fixture.ts';
import { settle, tokenOf } from '../sessions/pod.fixture.ts';

const NAMES = ['note.add', 'note.add.x', 'note.ban'] as const;
const CATALOGUE = mustCompileCatalogue(
  catalogue({
    families: [],
    channels: [],
    commands: NAMES.map((name) =>
      command({
        name,
        schema: Type.Object({}),
        roles: name === 'note.ban' ? ['admin'] : 'any',
        offline: 'commutative',
      }),
    ),
    role: { claim: 'role', fallback: 'customer' },
  }),
);

const hostile = fc.constantFrom(
  '',
  '*',
  '>',
  'a.b',
  'x.u-2.y',
  ' ',
  'a\r\nPUB x',
  '__proto__',
  'constructor',
  '\u0000',
  '>.>',
);
const id = fc.oneof(hostile, fc.string({ unit: 'binary', maxLength: 140 }), fc.uuid());
const name = fc.oneof(hostile, fc.constantFrom(...NAMES), fc.string({ maxLength: 20 }));
const request = fc.record({ commandId: id, name, data: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) });

test('a command is refused, or stored on the one subject that is its identity', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('json', 'msgpack'),
      async (requests, encoding) => {
        const { pod, connection, say } = createBench({ catalogue: CATALOGUE }, encoding);
        await say(hello(tokenOf(CUSTOMER)));
        connection.write(...requests.map((each, at) => ({ kind: 'command', id: at, ...each }) as const));
        await settle();
        const refused = new Set(connection.read().map((frame) => (frame.kind === 'error' ? frame.id : undefined)));
        const { stored } = pod.requests;

        expect(pod.faults).toEqual([]);
        expect(connection.closed).toBeUndefined();
        expect(refused.size + stored.length).toBe(requests.length);
        const taken = requests.filter((_, at) => !refused.has(at));
        expect(stored.map(({ subject }) => subject)).toEqual(
          taken.map((each) => commandSubject(each.name, 'u-1', each.commandId)),
        );
        for (const { subject, payload } of stored) {
          const tokens = subject.split('.');
          const ofName = String(payload['command']).split('.').length;
          expect([tokens[0], tokens[ofName + 1], tokens.length]).toEqual(['cmd', 'u-1', ofName + 3]);
          // oxlint-disable-next-line no-control-regex -- what no subject may hold
          expect(subject).not.toMatch(/[*>\s\u0000-\u001f]/);
          expect(payload['actor']).toEqual({ sub: 'u-1', role: 'customer' });
        }
      },
    ),
  );
});

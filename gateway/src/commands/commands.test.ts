// Commands and calls through a session: what is refused before NATS is asked, and how outcomes reach the client.
import { call, catalogue, command, mustCompileCatalogue, type DownFrame, type UpFrame } from '@sluice/schemas';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../errors.ts';
import { settle } from '../sessions/pod.fixture.ts';
import { createBench, CUSTOMER, hello } from '../sessions/session.fixture.ts';
import { tokenOf, type TestPodOptions } from '../sessions/pod.fixture.ts';
import type { CommandEffects } from './commands.ts';

const text = Type.Object({ text: Type.String({ minLength: 1 }) });
const COMPILED = mustCompileCatalogue(
  catalogue({
    families: [],
    channels: [],
    commands: [
      command({ name: 'note.add', schema: text, roles: 'any', offline: 'commutative' }),
      command({ name: 'note.ban', schema: text, roles: ['admin'], offline: 'last_wins' }),
    ],
    calls: [
      call({
        name: 'note.count',
        request: text,
        answer: Type.Object({ count: Type.Integer() }),
        roles: 'any',
        timeoutMs: 2_000,
      }),
    ],
    actorClaims: ['name'],
    role: { claim: 'role', fallback: 'customer' },
  }),
);
const wave = command({
  name: 'note.wave',
  schema: text,
  roles: 'any',
  offline: 'never_queued',
  effect: { type: 'note.waved', channel: 'notes', keys: {}, data: {} },
});
/** With what a sound catalogue would need more for, or could not say. */
const CATALOGUE = {
  ...COMPILED,
  commands: new Map([...COMPILED.commands, [wave.name, wave]]),
  actorClaims: ['name', 'sub', 'role'],
};
const LONE = { count: 1, bytes: 10_000 };

const open = async (options: Partial<TestPodOptions> = {}, principal = CUSTOMER) => {
  const bench = createBench({ catalogue: CATALOGUE, ...options });
  await bench.say(hello(tokenOf(principal)));
  return { ...bench, ...bench.pod.requests, counters: bench.pod.pod.counters };
};
const add = (id: number, more: Partial<Extract<UpFrame, { kind: 'command' }>> = {}): UpFrame => ({
  kind: 'command',
  id,
  commandId: `c-${id}`,
  name: 'note.add',
  data: { text: 'x' },
  ...more,
});
const count = (id: number, timeoutMs?: number): UpFrame => ({
  kind: 'call',
  id,
  name: 'note.count',
  data: { text: 'x' },
  ...(timeoutMs !== undefined && { timeoutMs }),
});
const codes = (frames: readonly DownFrame[]) =>
  frames.map((frame) =>
    frame.kind === 'error' ? `${frame.id} ${frame.code}` : `${'id' in frame ? frame.id : ''} ${frame.kind}`,
  );

describe('a command', () => {
  test('is acknowledged when it is stored, and not before (I6)', async () => {
    const { say, stored, connection, counters } = await open();
    expect(await say(add(1), add(2))).toEqual([]);
    expect(stored.map(({ subject }) => subject)).toEqual(['cmd.note.add.u-1.c-1', 'cmd.note.add.u-1.c-2']);
    expect(counters.requestsInFlight).toBe(2);

    stored[1]!.settle({ kind: 'stored', sequence: 8, isDuplicate: true });
    stored[0]!.settle({ kind: 'stored', sequence: 7, isDuplicate: false });
    await settle();

    expect(connection.read()).toEqual([
      { kind: 'ok', id: 2, sequence: 8, isDuplicate: true },
      { kind: 'ok', id: 1, sequence: 7 },
    ]);
    expect(counters).toMatchObject({ commands: { stored: 1, duplicate: 1 }, requestsInFlight: 0 });
  });

  test.each([
    [{ kind: 'full' }, 'overloaded'],
    [{ kind: 'too_large' }, 'invalid_command'],
    [{ kind: 'unavailable', reason: 'timeout' }, 'unavailable'],
  ] as const)('%j is told as %s', async (outcome, code) => {
    const { say, stored, connection } = await open();
    await say(add(1));
    stored[0]!.settle(outcome);
    await settle();

    expect(codes(connection.read())).toEqual([`1 ${code}`]);
  });

  test('an outcome for a connection that is gone is nobody’s, and frees what it took', async () => {
    const { say, stored, connection, counters, pod } = await open();
    await say(add(1));
    connection.break();
    stored[0]!.settle({ kind: 'stored', sequence: 7, isDuplicate: false });
    await settle();

    expect(counters.requestsInFlight).toBe(0);
    expect(pod.faults).toEqual([]);
  });

  test('says who acts by the token: no claim passes for the user or the role (I9)', async () => {
    const { say, stored } = await open(
      {},
      { ...CUSTOMER, claims: { name: 'Asha', sub: 'admin-1', role: 'admin', x: 1 } },
    );
    await say(add(1));

    expect(stored[0]!.payload['actor']).toEqual({ sub: 'u-1', role: 'customer', name: 'Asha' });
  });

  test.each([
    ['msgpack', { text: 'x', at: Number.NaN }, { text: 'x', at: null }],
    ['json', { text: 'x', deep: JSON.parse('{"__proto__": {"admin": true}, "a": 1}') }, { text: 'x', deep: { a: 1 } }],
    ['json', { text: 'x', deep: JSON.parse('[[{"__proto__": [], "a": 1}]]') }, { text: 'x', deep: [[{ a: 1 }]] }],
  ] as const)('what is stored of %s is what was checked: no value that JSON lacks, no __proto__', async (...row) => {
    const [encoding, data, expected] = row;
    const { say, pod } = createBench({ catalogue: CATALOGUE }, encoding);
    await say(hello(tokenOf(CUSTOMER)), add(1, { data }));

    expect(pod.requests.stored[0]!.payload['data']).toEqual(expected);
    expect(JSON.stringify(pod.requests.stored[0]!.payload)).not.toContain('proto');
  });

  test('is refused before NATS is asked', async () => {
    const { say, stored } = await open();

    const frames = await say(
      add(1, { data: { text: '' } }),
      add(2, { commandId: 'a.b' }),
      add(3, { name: 'note.ban' }),
      add(4, { name: 'note.unheard_of' }),
      add(5, { data: { text: 'x'.repeat(5_000) } }),
    );

    expect(codes(frames)).toEqual([
      '1 invalid_command',
      '2 invalid_command',
      '3 forbidden',
      '4 unknown_command',
      '5 invalid_command',
    ]);
    expect(stored).toEqual([]);
  });
});

describe('an effect', () => {
  const effects = (answer: ReturnType<CommandEffects['apply']>) => {
    const applied: unknown[] = [];
    const apply: CommandEffects['apply'] = (sender, { name }, data) => {
      applied.push([sender.principal?.subject, name, data]);
      return answer;
    };
    return { applied, effects: { apply } };
  };

  test('takes the place of storing', async () => {
    const { applied, effects: given } = effects(undefined);
    const { say, stored } = await open({ effects: given });

    expect(await say(add(1, { name: 'note.wave' }))).toEqual([{ kind: 'ok', id: 1 }]);
    expect(applied).toEqual([['u-1', 'note.wave', { text: 'x' }]]);
    expect(stored).toEqual([]);
  });

  test('is refused by its own code, and unknown where nobody makes effects', async () => {
    const refusing = await open({ effects: effects('not_subscribed').effects });
    expect(codes(await refusing.say(add(1, { name: 'note.wave' })))).toEqual(['1 not_subscribed']);

    const without = await open();
    expect(codes(await without.say(add(1, { name: 'note.wave' })))).toEqual(['1 unknown_command']);
  });
});

describe('limits (I5)', () => {
  test('the rate of a connection and of a user, with how long to wait', async () => {
    const { say, pod, pass } = await open({ requestLimits: { perSecond: 2, burst: 2, burstPerUser: 3 } });
    const frames = await say(add(1), add(2), add(3), count(4));
    expect(frames).toEqual([
      expect.objectContaining({ id: 3, code: 'rate_limited', retryAfterMs: 500 }),
      expect.objectContaining({ id: 4, code: 'rate_limited', retryAfterMs: 500 }),
    ]);

    const other = pod.connect();
    other.write(hello(tokenOf(CUSTOMER)));
    await settle();
    other.write(add(1), add(2));
    expect(codes(other.read().filter(({ kind }) => kind === 'error'))).toEqual(['2 rate_limited']);

    pass(1_000);
    expect(await say(add(5))).toEqual([]);
  });

  test.each(['inFlightPerSocket', 'inFlightPerUser', 'inFlight'] as const)('%s is never exceeded', async (limit) => {
    const { say, stored, connection } = await open({ requestLimits: { [limit]: LONE } });
    expect(codes(await say(add(1), add(2), count(3)))).toEqual(['2 overloaded', '3 overloaded']);

    stored[0]!.settle({ kind: 'stored', sequence: 1, isDuplicate: false });
    await settle();
    connection.read();
    expect(await say(add(4))).toEqual([]);
  });
});

describe('a call', () => {
  test('is asked with the lesser patience and answered', async () => {
    const { say, asked, connection, counters } = await open();
    await say(count(1), count(2, 500), count(3, 60_000));
    expect(asked.map(({ subject, timeoutMs }) => [subject, timeoutMs])).toEqual([
      ['call.note.count.u-1', 2_000],
      ['call.note.count.u-1', 500],
      ['call.note.count.u-1', 2_000],
    ]);

    asked[0]!.answer({ ok: true, data: { count: 3 } });
    asked[1]!.answer({ ok: false, code: 'busy', reason: 'later' });
    asked[2]!.answer({ ok: false, code: 'busy', reason: 17 });
    await settle();

    expect(connection.read()).toEqual([
      { kind: 'result', id: 1, data: { count: 3 } },
      {
        kind: 'error',
        id: 2,
        code: 'refused',
        message: expect.any(String),
        refusal: { code: 'busy', reason: 'later' },
      },
      { kind: 'error', id: 3, code: 'refused', message: expect.any(String), refusal: { code: 'busy' } },
    ]);
    expect(counters).toMatchObject({ calls: { answered: 1, refused: 2 }, requestsInFlight: 0 });
  });

  test.each([
    [new GatewayError('nats_timeout', ''), 'no_answer'],
    [new GatewayError('nats_no_responders', ''), 'no_answer'],
    [new GatewayError('nats_disconnected', ''), 'unavailable'],
    [new Error('a bug'), 'unavailable'],
  ])('%s is told as %s', async (error, code) => {
    const { say, asked, connection } = await open();
    await say(count(1));
    asked[0]!.fail(error);
    await settle();

    expect(codes(connection.read())).toEqual([`1 ${code}`]);
  });

  test.each([['no JSON'], [[]], [{ ok: true }], [{ ok: true, data: { count: 'x' } }], [{ ok: false, code: '' }]])(
    'an answer that is %j reaches nobody, and is reported',
    async (answer) => {
      const { say, asked, connection, pod } = await open();
      await say(count(1));
      asked[0]!.answer(answer);
      await settle();

      expect(codes(connection.read())).toEqual(['1 no_answer']);
      expect(pod.faults).toHaveLength(1);
    },
  );

  test('an answer that the encoder has no form for ends nothing but the call', async () => {
    const { say, asked, connection, pod, counters } = await open();
    await say(count(1));
    const many = Object.fromEntries(Array.from({ length: 65_536 }, (_, at) => [`k${at}`, 1]));
    asked[0]!.answer({ ok: true, data: { count: 3, many } });
    await settle();

    expect(codes(connection.read())).toEqual(['1 no_answer']);
    expect(pod.faults).toHaveLength(1);
    expect(counters.calls).toEqual({ no_answer: 1 });
  });
});

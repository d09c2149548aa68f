// Calls against a real nats-server and services of a test: answered, refused, or ended in time; nothing is stored.
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect } from 'vitest';
import type { FrameClient } from '../kit/frame-client.ts';
import { NOTES_ENV, storedCommands } from '../kit/notes.ts';
import { test } from '../kit/notes-fixtures.ts';
import { secretIssuer } from '../kit/token.ts';

/** A service that answers every call of the name; what it was asked. */
const serve = async (
  connection: NatsConnection,
  answer: (envelope: Record<string, unknown>) => unknown,
): Promise<{ subject: string; envelope: Record<string, unknown>; headers: boolean }[]> => {
  const asked: { subject: string; envelope: Record<string, unknown>; headers: boolean }[] = [];
  connection.subscribe('call.note.count.*', {
    queue: 'notes',
    callback: (_, message) => {
      const envelope: Record<string, unknown> = message.json();
      asked.push({ subject: message.subject, envelope, headers: message.headers !== undefined });
      const given = answer(envelope);
      if (given !== undefined) message.respond(typeof given === 'string' ? given : JSON.stringify(given));
    },
  });
  await connection.flush();
  return asked;
};

const call = async (
  client: FrameClient,
  more: { name?: string; data?: Record<string, unknown>; timeoutMs?: number } = {},
) => {
  const id = client.nextId();
  client.send({ kind: 'call', id, name: 'note.count', data: { of: 'mine' }, ...more });
  return await Promise.race([
    client.next('result', (frame) => frame.id === id, 20_000),
    client.next('error', (frame) => frame.id === id, 20_000),
  ]);
};

describe('a call', () => {
  test('is answered with what the service says; who asks is told by the token', async ({ connection, openFrames }) => {
    const asked = await serve(connection, () => ({ ok: true, data: { count: 3, of: 'yours' } }));
    const client = await openFrames({ token: await secretIssuer().sign({ sub: 'u-7', name: 'Asha' }) });

    expect(await call(client)).toMatchObject({ kind: 'result', data: { count: 3, of: 'yours' } });
    expect(asked).toEqual([
      {
        subject: 'call.note.count.u-7',
        envelope: {
          command: 'note.count',
          actor: { sub: 'u-7', role: 'customer', name: 'Asha' },
          data: { of: 'mine' },
          receivedAt: expect.any(String),
        },
        headers: false,
      },
    ]);
    expect(await storedCommands(connection)).toEqual([]);
  });

  test('is typed from end to end in the SDK', async ({ connection, openClient }) => {
    await serve(connection, ({ data }) =>
      (data as { of: string }).of === 'mine'
        ? { ok: true, data: { count: 1 } }
        : { ok: false, code: 'not_yours', reason: 'Ask about your own.' },
    );
    const { client } = await openClient();

    expect(await client.call('note.count', { of: 'mine' })).toEqual({ count: 1 });
    await expect(client.call('note.count', { of: 'theirs' })).rejects.toMatchObject({
      code: 'refused',
      isRetryable: false,
      refusal: { code: 'not_yours', reason: 'Ask about your own.' },
    });
  });

  test('that nobody answers ends: at once without a service, else when the patience of either side is over', async ({
    connection,
    openFrames,
  }) => {
    const client = await openFrames();
    expect(await call(client)).toMatchObject({ code: 'no_answer' });

    await serve(connection, () => undefined);
    expect(await call(client, { timeoutMs: 100 })).toMatchObject({ code: 'no_answer' });
    expect(await call(client, { timeoutMs: 600_000 })).toMatchObject({ code: 'no_answer' });
  });

  test.for([
    ['no JSON', 'three'],
    ['neither data nor a refusal', { count: 3 }],
    ['data that does not fit', { ok: true, data: { count: 'three' } }],
    ['a refusal without a code', { ok: false }],
  ] as const)(
    'an answer that is %s is none, and does not reach the client',
    async ([, answer], { connection, openFrames, gateway }) => {
      await serve(connection, () => answer);
      const client = await openFrames();

      expect(await call(client)).toMatchObject({ code: 'no_answer', message: expect.not.stringContaining('three') });
      expect(gateway.logRecords().filter(({ where }) => where === 'call')).toHaveLength(1);
    },
  );

  test('that is wrong, forbidden or unknown is refused, and no service sees it', async ({ connection, openFrames }) => {
    const asked = await serve(connection, () => ({ ok: true, data: { count: 3 } }));
    const client = await openFrames();

    expect(await call(client, { data: {} })).toMatchObject({ code: 'invalid_command' });
    expect(await call(client, { name: 'note.audit', data: {} })).toMatchObject({ code: 'forbidden' });
    expect(await call(client, { name: 'note.add', data: { text: 'x' } })).toMatchObject({ code: 'unknown_command' });
    expect(asked).toEqual([]);
  });

  const testNarrow = test.override({ gatewayEnv: { ...NOTES_ENV, SLUICE_MAX_REQUESTS_IN_FLIGHT_PER_SOCKET: '2' } });
  testNarrow('is refused while too many are under way', async ({ connection, openFrames }) => {
    await serve(connection, () => undefined);
    const client = await openFrames();

    const answers = await Promise.all([1, 2, 3].map(() => call(client, { timeoutMs: 500 })));

    expect(answers.map((answer) => (answer.kind === 'error' ? answer.code : 'answered'))).toEqual([
      'no_answer',
      'no_answer',
      'overloaded',
    ]);
  });
});

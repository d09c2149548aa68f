// Commands against a real nats-server: stored before they are acknowledged, once per (user, name, id), whatever fails (I6).
import { jetstreamManager } from '@nats-io/jetstream';
import { COMMAND_STREAM, commandSubject } from '@sluice/schemas';
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { runGatewayToExit } from '../kit/gateway.ts';
import {
  answerTo,
  createNoteStreams,
  duplicateWindowOver,
  NOTES_ENV,
  sendCommand,
  storedCommands,
} from '../kit/notes.ts';
import { test } from '../kit/notes-fixtures.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import { adminToken, customerToken, secretIssuer, TEST_SECRET } from '../kit/token.ts';

/** For a server or a connection that comes back. */
const PATIENCE = { timeoutMs: 20_000, intervalMs: 200 };

describe('a command', () => {
  test('is stored as it is acknowledged, with who acts by the token, and without any header', async ({
    connection,
    openFrames,
  }) => {
    const token = await secretIssuer().sign({ sub: 'u-7', name: 'Asha', email: 'asha@example.org' });
    const client = await openFrames({ token, encoding: 'msgpack' });
    const beforeMs = Date.now();

    const answer = await sendCommand(client, {
      commandId: 'c-1',
      data: { text: 'hello', extra: { sender: 'somebody else' }, actor: { sub: 'u-8' }, 'Nats-Rollup': 'all' },
    });

    expect(answer).toMatchObject({ kind: 'ok', sequence: 1 });
    expect(answer).not.toHaveProperty('isDuplicate');
    const [stored, ...others] = await storedCommands(connection);
    expect(others).toEqual([]);
    expect(stored).toEqual({
      subject: 'cmd.note.add.u-7.c-1',
      sequence: 1,
      headers: [],
      envelope: {
        commandId: 'c-1',
        command: 'note.add',
        actor: { sub: 'u-7', role: 'customer', name: 'Asha' },
        data: { text: 'hello', extra: { sender: 'somebody else' }, actor: { sub: 'u-8' }, 'Nats-Rollup': 'all' },
        receivedAt: expect.any(String),
      },
    });
    expect(Date.parse(String(stored!.envelope['receivedAt']))).toBeGreaterThanOrEqual(beforeMs);
  });

  test('that is wrong, forbidden or unknown is refused by code, and nothing of it is stored', async ({
    connection,
    openFrames,
  }) => {
    const client = await openFrames();
    const refused = [
      [{ commandId: 'c-1', data: { text: '' } }, 'invalid_command'],
      [{ commandId: 'c-1', data: { text: 17 } }, 'invalid_command'],
      [{ commandId: 'c-1', data: {} }, 'invalid_command'],
      [{ commandId: 'a.b' }, 'invalid_command'],
      [{ commandId: '*' }, 'invalid_command'],
      [{ commandId: '' }, 'invalid_command'],
      [{ commandId: 'x'.repeat(129) }, 'invalid_command'],
      [{ commandId: 'c-1', data: { text: 'x', more: 'y'.repeat(300_000) } }, 'invalid_command'],
      [{ commandId: 'c-1', name: 'note.ban', data: { userId: 'u-2' } }, 'forbidden'],
      [{ commandId: 'c-1', name: 'note.unheard_of' }, 'unknown_command'],
      [{ commandId: 'c-1', name: 'toString' }, 'unknown_command'],
      [{ commandId: 'c-1', name: 'note.count', data: { of: 'x' } }, 'unknown_command'],
    ] as const;
    for (const [request, code] of refused) {
      expect([request, await sendCommand(client, request)]).toEqual([request, expect.objectContaining({ code })]);
    }
    expect(await storedCommands(connection)).toEqual([]);

    const admin = await openFrames({ token: await adminToken() });
    expect(await sendCommand(admin, { commandId: 'c-1', name: 'note.ban', data: { userId: 'u-2' } })).toMatchObject({
      kind: 'ok',
      sequence: 1,
    });
  });

  test('a schema fault is told with its place', async ({ openFrames }) => {
    const client = await openFrames();

    expect(await sendCommand(client, { commandId: 'c-1', data: { text: 17 } })).toMatchObject({
      message: expect.stringContaining('/text'),
    });
  });
});

describe('the same id', () => {
  test('again is a duplicate with the first one’s sequence; of another user or command it is another (I6)', async ({
    connection,
    openFrames,
  }) => {
    const one = await openFrames();
    const other = await openFrames({ token: await customerToken('u-2') });

    expect(await sendCommand(one, { commandId: 'c-1' })).toMatchObject({ kind: 'ok', sequence: 1 });
    const again = await sendCommand(one, { commandId: 'c-1', data: { text: 'something else' } });
    expect(again).toMatchObject({ kind: 'ok', sequence: 1, isDuplicate: true });
    expect(await sendCommand(other, { commandId: 'c-1' })).toEqual({ kind: 'ok', id: expect.any(Number), sequence: 2 });
    expect(await sendCommand(one, { commandId: 'c-1', name: 'note.drop' })).toMatchObject({ sequence: 3 });

    expect((await storedCommands(connection)).map(({ subject, envelope }) => [subject, envelope['data']])).toEqual([
      ['cmd.note.add.u-1.c-1', { text: 'hello' }],
      ['cmd.note.add.u-2.c-1', { text: 'hello' }],
      ['cmd.note.drop.u-1.c-1', { text: 'hello' }],
    ]);
  });

  // No clock of a nats-server can be moved. What would make the third minute, or the 24th hour, differ from the first is
  // the duplicate window, which is not what refuses: here it is over, and the server has been killed since.
  const testForgetful = test.override({ commandStream: { duplicate_window: 100 * 1_000_000 } });
  testForgetful(
    'is a duplicate after the duplicate window, and after the server was killed (I6)',
    async ({ nats, connection, gateway, openFrames }) => {
      const client = await openFrames();
      expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ kind: 'ok', sequence: 1 });

      await duplicateWindowOver(connection, 'cmd.note.add.probe');
      expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ sequence: 1, isDuplicate: true });

      await nats.restart('kill');
      await gateway.waitUntilReady();
      const after = await eventually(async () => {
        const answer = await sendCommand(client, { commandId: 'c-1' });
        return answer.kind === 'ok' ? answer : undefined;
      }, PATIENCE);
      expect(after).toMatchObject({ sequence: 1, isDuplicate: true });
      const stored = await eventually(() => storedCommands(connection), PATIENCE);
      const own = stored.filter(({ subject }) => subject.endsWith('.c-1'));
      expect(own).toHaveLength(1);
    },
  );

  test('through two pods at once is stored once, and both are told the same (I6)', async ({
    connection,
    otherGateway,
    openFrames,
  }) => {
    const token = await customerToken();
    const here = await openFrames({ token });
    using there = await FrameClient.open({ url: otherGateway.url, token });
    const ids = Array.from({ length: 100 }, (_, i) => `c-${i}`);

    const answers = await Promise.all(
      ids.map(
        async (commandId) => await Promise.all([here, there].map((client) => sendCommand(client, { commandId }))),
      ),
    );

    const stored = await storedCommands(connection);
    expect(stored).toHaveLength(ids.length);
    const bySubject = new Map(stored.map(({ subject, sequence }) => [subject, sequence]));
    for (const [at, pair] of answers.entries()) {
      const sequence = bySubject.get(commandSubject('note.add', 'u-1', ids[at]!));
      expect(pair).toEqual([expect.objectContaining({ sequence }), expect.objectContaining({ sequence })]);
      expect(pair.filter((answer) => answer.kind === 'ok' && answer.isDuplicate)).toHaveLength(1);
    }
  });
});

describe('what fails on the way', () => {
  test('a pod that dies between store and acknowledgement: sent again by the SDK, stored once (I6, I7)', async ({
    connection,
    gateway,
    natsProxy,
    openClient,
  }) => {
    const { client } = await openClient();
    expect(await client.send('note.add', { text: 'first' })).toMatchObject({ sequence: 1, isDuplicate: false });

    natsProxy.freeze('toClient');
    const sent = client.send('note.add', { text: 'second' }, { commandId: 'c-2' });
    await eventually(async () => (await storedCommands(connection)).length === 2, {
      what: 'the command in its stream',
    });
    await gateway.kill();
    natsProxy.thaw();
    await gateway.start();

    expect(await sent).toEqual({ sequence: 2, isDuplicate: true });
    expect((await storedCommands(connection)).map(({ envelope }) => envelope['data'])).toEqual([
      { text: 'first' },
      { text: 'second' },
    ]);
  });

  test('NATS is away: not acknowledged, may be sent again, stored once', async ({
    connection,
    natsProxy,
    openFrames,
  }) => {
    const client = await openFrames();
    natsProxy.partition();
    expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ kind: 'error', code: 'unavailable' });
    expect(await storedCommands(connection)).toEqual([]);

    natsProxy.heal();
    await eventually(async () => (await sendCommand(client, { commandId: 'c-1' })).kind === 'ok', PATIENCE);
    expect(await storedCommands(connection)).toHaveLength(1);
  });
});

describe('a full stream', () => {
  const testFull = test.override({ commandStream: { max_msgs: 3 } });

  testFull(
    'refuses what is new, acknowledges what it has, and takes the rest when there is room (I6)',
    async ({ connection, openFrames }) => {
      const client = await openFrames();
      for (const commandId of ['c-1', 'c-2', 'c-3']) {
        expect(await sendCommand(client, { commandId })).toMatchObject({ kind: 'ok' });
      }

      expect(await sendCommand(client, { commandId: 'c-4' })).toMatchObject({ kind: 'error', code: 'overloaded' });
      expect(await sendCommand(client, { commandId: 'c-2' })).toMatchObject({ sequence: 2, isDuplicate: true });
      expect((await storedCommands(connection)).map(({ envelope }) => envelope['commandId'])).toEqual([
        'c-1',
        'c-2',
        'c-3',
      ]);

      const manager = await jetstreamManager(connection);
      const { config } = await manager.streams.info(COMMAND_STREAM.name);
      await manager.streams.update(COMMAND_STREAM.name, { ...config, max_msgs: 4 });
      expect(await sendCommand(client, { commandId: 'c-4' })).toEqual({
        kind: 'ok',
        id: expect.any(Number),
        sequence: 4,
      });
    },
  );
});

describe('limits', () => {
  const testSlow = test.override({
    gatewayEnv: { ...NOTES_ENV, SLUICE_REQUESTS_PER_SECOND: '1', SLUICE_REQUEST_BURST: '3' },
  });

  testSlow(
    'more than the rate is refused with how long to wait, and not stored',
    async ({ connection, openFrames }) => {
      const client = await openFrames();
      const ids = Array.from({ length: 10 }, () => client.nextId());
      client.send(
        ...ids.map(
          (id) => ({ kind: 'command', id, commandId: `c-${id}`, name: 'note.add', data: { text: 'x' } }) as const,
        ),
      );
      const answers = await Promise.all(ids.map((id) => answerTo(client, id)));

      const refused = answers.filter((answer) => answer.kind === 'error');
      expect(refused.length).toBeGreaterThanOrEqual(5);
      for (const answer of refused) {
        expect(answer).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
      }
      expect(await storedCommands(connection)).toHaveLength(answers.length - refused.length);
    },
  );
});

describe('in flight', () => {
  const testNarrow = test.override({
    gatewayEnv: { ...NOTES_ENV, SLUICE_MAX_REQUESTS_IN_FLIGHT_PER_SOCKET: '5', SLUICE_COMMAND_ACK_TIMEOUT_MS: '1000' },
  });

  testNarrow(
    'more than may be under way is refused at once, while the others wait for their acknowledgement',
    async ({ natsProxy, openFrames }) => {
      const client = await openFrames();
      natsProxy.freeze();
      const ids = Array.from({ length: 8 }, () => client.nextId());
      client.send(
        ...ids.map(
          (id) => ({ kind: 'command', id, commandId: `c-${id}`, name: 'note.add', data: { text: 'x' } }) as const,
        ),
      );
      const answers = await Promise.all(ids.map((id) => answerTo(client, id)));
      natsProxy.thaw();

      const codes = answers.map((answer) => (answer.kind === 'error' ? answer.code : 'ok'));
      expect(codes).toEqual([...Array(5).fill('unavailable'), ...Array(3).fill('overloaded')]);
    },
  );
});

describe('the stream of commands', () => {
  const start = (natsUrl: string) =>
    runGatewayToExit({
      SLUICE_NATS_URL: natsUrl,
      SLUICE_HOST: '127.0.0.1',
      SLUICE_PORT: '0',
      SLUICE_OPERATIONS_HOST: '127.0.0.1',
      SLUICE_OPERATIONS_PORT: '0',
      SLUICE_TOKEN_SECRET: TEST_SECRET,
      ...NOTES_ENV,
    });

  test('that is missing, or would apply one twice, is named at the start with all other faults', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    const missing = (await start(nats.url)).log.join('\n');
    expect(missing).toContain('stream NOTE does not exist');
    expect(missing).toContain('stream CMD does not exist');

    await createNoteStreams(connection, {
      commands: { discard_new_per_subject: false, max_age: 3_600_000 * 1_000_000, subjects: ['cmd.note.add.>'] },
    });
    const { log, exit } = await start(nats.url);
    expect(exit.code).toBe(1);
    for (const part of ['discard_new_per_subject is off', 'max_age is 1 h', 'its subjects do not include']) {
      expect(log.join('\n')).toContain(part);
    }
  });

  test('may have another name', async () => {
    await using nats = await startNatsServer();
    await using connection = await nats.connect();
    await createNoteStreams(connection, { commands: { name: 'ACTS' } });
    const { startGateway } = await import('../kit/gateway.ts');
    await using gateway = await startGateway({
      natsUrl: nats.url,
      env: { ...NOTES_ENV, SLUICE_COMMAND_STREAM: 'ACTS' },
    });
    using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });

    expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ kind: 'ok', sequence: 1 });
    expect(await sendCommand(client, { commandId: 'c-1' })).toMatchObject({ sequence: 1, isDuplicate: true });
  });
});

test('an answer of somebody else who listens on the subject is no acknowledgement', async ({
  connection,
  openFrames,
}) => {
  const client = await openFrames();
  // Faster than the stream, or slower: only what the stream itself says counts.
  connection.subscribe('cmd.>', { callback: (_, message) => void message.respond('{"stream":"OTHER","seq":99}') });
  await connection.flush();

  const answer = await eventually(async () => {
    const given = await sendCommand(client, { commandId: 'c-1' });
    return given.kind === 'ok' ? given : undefined;
  });

  expect(answer.sequence).toBe(1);
  expect(await storedCommands(connection)).toHaveLength(1);
});

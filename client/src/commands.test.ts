import { command, type DownFrame, type RezCalls, type RezCommands, type RezEvents } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { createClientOver } from './door.ts';
import type { ClientOptions } from './options.ts';
import { ManualClock, ScriptedGateway, type ScriptedLink, welcome } from './scripted.fixture.ts';

const DAY_MS = 24 * 3_600_000;

const setUp = (options: Partial<ClientOptions> = {}) => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  let ids = 0;
  const client = createClientOver(() => gateway.transport)({
    url: 'ws://gateway.test',
    token: 'token-1',
    clock,
    random: () => 0.5,
    newCommandId: () => `id-${++ids}`,
    ...options,
  });
  return { gateway, clock, client };
};

const connect = (options: Partial<ClientOptions> = {}) => {
  const made = setUp(options);
  made.client.connect();
  made.gateway.welcome();
  return made;
};

/** The connection breaks, and the next attempt is under way. */
const lose = ({ gateway, clock }: Pick<ReturnType<typeof setUp>, 'gateway' | 'clock'>) => {
  const { length } = gateway.links;
  gateway.link.close(1006);
  while (gateway.links.length === length) clock.advance(clock.nextMs!);
};

const settle = () => new Promise((resolve) => setImmediate(resolve));
const commandsOn = (link: ScriptedLink) => link.received.flatMap((frame) => (frame.kind === 'command' ? [frame] : []));
const idsOn = (link: ScriptedLink) => commandsOn(link).map(({ commandId }) => commandId);
const okFor = (link: ScriptedLink, commandId: string, sequence = 7, isDuplicate = false): DownFrame => ({
  kind: 'ok',
  id: commandsOn(link).findLast((frame) => frame.commandId === commandId)!.id,
  sequence,
  ...(isDuplicate && { isDuplicate }),
});
const errorFor = (id: number, code: string, more: { retryAfterMs?: number } = {}): DownFrame => ({
  kind: 'error',
  code,
  message: code,
  id,
  ...more,
});

describe('a command', () => {
  test('is sent and resolves with where it is stored', async () => {
    const { gateway, client } = connect();
    const sent = client.send('note.add', { text: 'hello' });
    expect(commandsOn(gateway.link)).toEqual([
      { kind: 'command', id: expect.any(Number), commandId: 'id-1', name: 'note.add', data: { text: 'hello' } },
    ]);

    gateway.link.send(okFor(gateway.link, 'id-1', 42));

    expect(await sent).toEqual({ sequence: 42, isDuplicate: false });
  });

  test('is kept while there is no connection, in order, under its own id', async () => {
    const { gateway, client } = setUp();
    const sent = [client.send('note.add', { n: 1 }, { commandId: 'mine' }), client.send('note.add', { n: 2 })];
    client.connect();
    const link = gateway.welcome();

    expect(idsOn(link)).toEqual(['mine', 'id-1']);
    link.send(okFor(link, 'id-1', 2), okFor(link, 'mine', 1));
    expect((await Promise.all(sent)).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  test('is sent again with the same id after every loss, until it is acknowledged, and not after that (I6)', async () => {
    const { gateway, clock, client } = connect();
    const sent = client.send('note.add', {});
    for (let i = 0; i < 3; i++) {
      lose({ gateway, clock });
      gateway.welcome();
    }
    expect(gateway.links.map(idsOn)).toEqual([['id-1'], ['id-1'], ['id-1'], ['id-1']]);

    gateway.link.send(okFor(gateway.link, 'id-1', 9, true));
    expect(await sent).toEqual({ sequence: 9, isDuplicate: true });

    lose({ gateway, clock });
    expect(idsOn(gateway.welcome())).toEqual([]);
  });

  test('that is refused for now is sent again after the pause, with the others behind it', async () => {
    const { gateway, clock, client } = connect();
    const sent = client.send('note.add', {});
    gateway.link.send(errorFor(commandsOn(gateway.link)[0]!.id, 'rate_limited', { retryAfterMs: 3_000 }));
    const second = client.send('note.add', {});
    clock.advance(3_000);
    expect(idsOn(gateway.link)).toEqual(['id-1']);
    clock.advance(1_000);
    expect(idsOn(gateway.link)).toEqual(['id-1', 'id-1', 'id-2']);

    gateway.link.send(okFor(gateway.link, 'id-1'), okFor(gateway.link, 'id-2'));
    await Promise.all([sent, second]);
  });

  test('that is refused for good rejects with the code, and the connection goes on', async () => {
    const { gateway, client } = connect();
    const sent = client.send('note.add', {});
    gateway.link.send(errorFor(commandsOn(gateway.link)[0]!.id, 'invalid_command'));

    await expect(sent).rejects.toMatchObject({ code: 'invalid_command', isRetryable: false });
    expect(client.state.kind).toBe('connected');
  });

  test('of a name and id that is under way is the same command', () => {
    const { gateway, client } = connect();
    const first = client.send('note.add', { n: 1 }, { commandId: 'mine' });

    expect(client.send('note.add', { n: 2 }, { commandId: 'mine' })).toBe(first);
    expect(client.send('note.drop', {}, { commandId: 'mine' })).not.toBe(first);
    expect(commandsOn(gateway.link).map(({ name, data }) => [name, data])).toEqual([
      ['note.add', { n: 1 }],
      ['note.drop', {}],
    ]);
  });

  test('that is never queued fails at once without a connection, and with the one it was sent on', async () => {
    const typing = command({ name: 'chat.typing', schema: {} as never, roles: 'any', offline: 'never_queued' });
    const { gateway, client } = setUp({ commands: [typing] });
    await expect(client.send('chat.typing', {})).rejects.toMatchObject({ code: 'not_connected' });
    await expect(client.send('note.add', {}, { queue: false })).rejects.toMatchObject({ code: 'not_connected' });

    client.connect();
    gateway.welcome();
    const sent = client.send('chat.typing', {});
    gateway.link.close(1006);

    await expect(sent).rejects.toMatchObject({ code: 'connection_lost' });
  });

  test('that no message could carry is refused before it costs the connection', async () => {
    const { gateway, client } = connect();

    await expect(client.send('note.add', { text: 'x'.repeat(1_000_000) })).rejects.toMatchObject({
      code: 'frame_too_large',
    });
    expect(idsOn(gateway.link)).toEqual([]);
  });

  test.each(['msgpack', 'json'] as const)('that no gateway could read is refused too (%s)', async (encoding) => {
    const { gateway, client } = connect({ encoding });
    let deep: unknown = 1;
    for (let i = 0; i < 40; i++) deep = [deep];

    await expect(client.send('note.add', { deep })).rejects.toMatchObject({ code: 'invalid_command' });
    // An emoji that was cut in half: JSON has a form for it, msgpack has none.
    const half = client.send('note.add', { text: '👋'.slice(0, 1) });
    if (encoding === 'msgpack') await expect(half).rejects.toMatchObject({ code: 'invalid_command' });
    expect(idsOn(gateway.link)).toHaveLength(encoding === 'msgpack' ? 0 : 1);
  });

  test('that turns out to be too long for the gateway does not cost the connection either', async () => {
    const { gateway, client } = setUp();
    const long = client.send('note.add', { text: 'x'.repeat(5_000) });
    void client.send('note.add', {});
    client.connect();
    gateway.link.open();
    gateway.link.send({ ...welcome(), limits: { maxFrameBytes: 4_096, maxSubscriptions: 100 } } as DownFrame);

    await expect(long).rejects.toMatchObject({ code: 'frame_too_large' });
    expect(idsOn(gateway.link)).toEqual(['id-2']);
  });

  test('is what it was when it was sent, whatever the application does with its object later', () => {
    const { gateway, client } = setUp();
    const note = { text: 'hello', tags: ['a'] };
    void client.send('note.add', note);
    note.text = 'bye';
    note.tags.push('b');
    client.connect();
    gateway.welcome();

    expect(commandsOn(gateway.link)[0]?.data).toEqual({ text: 'hello', tags: ['a'] });
  });

  test('is dropped after 24 hours', async () => {
    const { clock, client } = setUp();
    const sent = client.send('note.add', {});
    clock.advance(DAY_MS - 1);
    const younger = client.send('note.add', {});
    clock.advance(1);

    await expect(sent).rejects.toMatchObject({ code: 'command_expired' });
    clock.advance(DAY_MS);
    await expect(younger).rejects.toMatchObject({ code: 'command_expired' });
    expect(clock.pending).toBe(0);
  });

  test('is dropped after 24 hours also where the clock of the device is set back meanwhile', async () => {
    const manual = new ManualClock();
    let backMs = 0;
    const clock: Clock = { now: () => manual.now() - backMs, after: manual.after.bind(manual) };
    const { client } = setUp({ clock });
    const sent = client.send('note.add', {});
    backMs = 365 * DAY_MS;
    const younger = client.send('note.add', {});
    manual.advance(DAY_MS);

    await expect(sent).rejects.toMatchObject({ code: 'command_expired' });
    manual.advance(DAY_MS);
    await expect(younger).rejects.toMatchObject({ code: 'command_expired' });
  });
});

describe('many commands', () => {
  test('at most 100 are kept', async () => {
    const { client } = setUp();
    const kept = Array.from({ length: 100 }, () => client.send('note.add', {}));

    await expect(client.send('note.add', {})).rejects.toMatchObject({ code: 'queue_full' });
    client.close();
    await expect(Promise.allSettled(kept)).resolves.toHaveLength(100);
  });

  test('of at most 4 MiB together are kept, and what is acknowledged makes room', async () => {
    const { client, gateway } = setUp();
    const large = { text: 'x'.repeat(900_000) };
    for (let i = 0; i < 4; i++) void client.send('note.add', large);

    await expect(client.send('note.add', large)).rejects.toMatchObject({ code: 'queue_full' });
    void client.send('note.add', {}, { commandId: 'small' });
    client.connect();
    const link = gateway.welcome();
    link.send({ kind: 'ok', id: link.last('command').id, sequence: 1 });
    void client.send('note.add', large, { commandId: 'later' });
    for (let i = 0; i < 4; i++) link.send({ kind: 'ok', id: link.last('command').id, sequence: 2 + i });
    expect(link.last('command').commandId).toBe('later');
  });

  test('leave a few at a time, the next ones as the first are acknowledged', () => {
    const { gateway, client } = setUp();
    for (let i = 0; i < 100; i++) void client.send('note.add', {});
    client.connect();
    const link = gateway.welcome();
    expect(idsOn(link)).toHaveLength(32);

    link.send(...idsOn(link).map((id) => okFor(link, id)));

    expect(idsOn(link)).toHaveLength(64);
    expect(new Set(idsOn(link)).size).toBe(64);
  });

  describe('of one service', () => {
    const rule = (name: string, offline: 'commutative' | 'last_wins' | 'rejected_with_state') =>
      command({ name, schema: {} as never, roles: 'any', offline });
    const commands = [
      rule('cart.add', 'commutative'),
      rule('cart.update', 'last_wins'),
      rule('order.place', 'commutative'),
      rule('order.cancel', 'rejected_with_state'),
    ];

    test('are not overtaken where the order counts: the last one wins also after a refusal', () => {
      const { gateway, clock, client } = connect({ commands });
      for (const quantity of [2, 3]) void client.send('cart.update', { quantity });
      expect(idsOn(gateway.link)).toEqual(['id-1']);
      gateway.link.send(errorFor(commandsOn(gateway.link)[0]!.id, 'unavailable'));
      void client.send('cart.update', { quantity: 4 });
      clock.advance(clock.nextMs!);
      for (const id of ['id-1', 'id-2', 'id-3']) {
        expect(idsOn(gateway.link).at(-1)).toBe(id);
        gateway.link.send(okFor(gateway.link, id));
      }
    });

    test('wait for each other only where they must', () => {
      const { gateway, client } = setUp({ commands });
      const names = ['cart.add', 'cart.add', 'cart.update', 'cart.add', 'order.place', 'order.cancel', 'note.add'];
      for (const name of names) void client.send(name, {});
      client.connect();
      const link = gateway.welcome();
      expect(idsOn(link)).toEqual(['id-1', 'id-2', 'id-5', 'id-7']);

      link.send(okFor(link, 'id-2'), okFor(link, 'id-5'));
      expect(idsOn(link).slice(4)).toEqual(['id-6']);
      link.send(okFor(link, 'id-1'));
      expect(idsOn(link).slice(5)).toEqual(['id-3']);
      link.send(okFor(link, 'id-3'));
      expect(idsOn(link).slice(6)).toEqual(['id-4']);
    });
  });

  test('that are never queued do not wait behind others, nor for another connection', async () => {
    const { gateway, clock, client } = connect();
    void client.send('note.add', {});
    gateway.link.send(errorFor(commandsOn(gateway.link)[0]!.id, 'overloaded', { retryAfterMs: 60_000 }));

    await expect(client.send('chat.typing', {}, { queue: false })).rejects.toMatchObject({ code: 'queue_full' });
    lose({ gateway, clock });
    expect(commandsOn(gateway.welcome()).map(({ name }) => name)).toEqual(['note.add']);
  });

  test('large ones leave one by one, so that the connection does not overflow', () => {
    const { gateway, client } = setUp();
    for (let i = 0; i < 3; i++) void client.send('note.add', { text: 'x'.repeat(900_000) });
    client.connect();
    const link = gateway.welcome();

    expect(idsOn(link)).toEqual(['id-1']);
    link.send(okFor(link, 'id-1'));
    expect(idsOn(link)).toEqual(['id-1', 'id-2']);
  });

  test('are dropped on close, and nothing of them is sent later', async () => {
    const { gateway, client } = connect();
    const sent = client.send('note.add', {});
    client.close();
    await expect(sent).rejects.toMatchObject({ code: 'connection_closed' });

    client.connect();
    expect(idsOn(gateway.welcome())).toEqual([]);
  });

  test('of one user are not sent as another', async () => {
    const { gateway, clock, client } = connect();
    const sent = client.send('note.add', {});
    lose({ gateway, clock });
    gateway.link.open();
    gateway.link.send({ ...welcome(), subject: 'u-2' } as DownFrame);

    await expect(sent).rejects.toMatchObject({ code: 'subject_mismatch' });
    expect(idsOn(gateway.link)).toEqual([]);
  });

  test('of the next user, given after a close, are sent as that user', () => {
    const { gateway, client } = connect();
    client.close();
    client.connect();
    void client.send('note.add', {});
    gateway.link.open();
    gateway.link.send({ ...welcome(), subject: 'u-2' } as DownFrame);

    expect(idsOn(gateway.link)).toEqual(['id-1']);
  });

  test('of one user are not taken along by what the next one sends as soon as there is a connection', async () => {
    const { gateway, clock, client } = connect();
    const sent = client.send('note.add', { of: 'u-1' });
    lose({ gateway, clock });
    client.on('state', ({ kind }) => {
      if (kind === 'connected') void client.send('note.add', { of: 'u-2' });
    });
    gateway.link.open();
    gateway.link.send({ ...welcome(), subject: 'u-2' } as DownFrame);

    await expect(sent).rejects.toMatchObject({ code: 'subject_mismatch' });
    expect(commandsOn(gateway.link).map(({ data }) => data)).toEqual([{ of: 'u-2' }]);
  });
});

describe('a call', () => {
  const callsOn = (link: ScriptedLink) => link.received.flatMap((frame) => (frame.kind === 'call' ? [frame] : []));

  test('resolves with the answer', async () => {
    const { gateway, client } = connect();
    const asked = client.call('note.count', { tag: 'a' }, { timeoutMs: 500 });
    const [frame] = callsOn(gateway.link);
    expect(frame).toMatchObject({ name: 'note.count', data: { tag: 'a' }, timeoutMs: 500 });

    gateway.link.send({ kind: 'result', id: frame!.id, data: { count: 3 } });

    expect(await asked).toEqual({ count: 3 });
  });

  test('rejects with the refusal of the service', async () => {
    const { gateway, client } = connect();
    const asked = client.call('note.count', {});
    const { id } = callsOn(gateway.link)[0]!;
    gateway.link.send({ kind: 'error', code: 'refused', message: 'no', id, refusal: { code: 'not_yours' } });

    await expect(asked).rejects.toMatchObject({ code: 'refused', refusal: { code: 'not_yours' } });
  });

  test('that no message could carry is refused before it costs the connection', async () => {
    const { gateway, client } = connect();

    await expect(client.call('note.count', { text: 'x'.repeat(1_000_000) })).rejects.toMatchObject({
      code: 'frame_too_large',
    });
    for (const text of ['👋'.slice(0, 1), Symbol('none')]) {
      await expect(client.call('note.count', { text })).rejects.toMatchObject({ code: 'invalid_command' });
    }
    expect(callsOn(gateway.link)).toEqual([]);
  });

  test('is asked once: a lost connection, a closed client and silence end it', async () => {
    const { gateway, clock, client } = connect();
    const silent = client.call('note.count', {}, { timeoutMs: 1_000 });
    clock.advance(3_000);
    await expect(silent).rejects.toMatchObject({ code: 'no_answer', isRetryable: true });

    const lost = client.call('note.count', {});
    lose({ gateway, clock });
    await expect(lost).rejects.toMatchObject({ code: 'connection_lost' });
    await expect(client.call('note.count', {})).rejects.toMatchObject({ code: 'not_connected' });

    gateway.welcome();
    const closed = client.call('note.count', {});
    client.close();
    await expect(closed).rejects.toMatchObject({ code: 'connection_closed' });
  });
});

test('nobody has to ask what became of a command', async () => {
  const { client } = connect();
  const seen: unknown[] = [];
  const note = (error: unknown) => seen.push(error);
  process.on('unhandledRejection', note);
  void client.send('note.add', {});
  client.close();
  await settle();
  process.off('unhandledRejection', note);

  expect(seen).toEqual([]);
});

test('names and data are those of the catalogue', () => {
  const gateway = new ScriptedGateway();
  const options = { url: 'ws://a.test', token: 't' };
  const client = createClientOver(() => gateway.transport)<RezEvents, RezCommands, RezCalls>(options);

  void client.send('chat.send_message', { chatId: 'c-1', message: 'hello' });
  // @ts-expect-error -- the message is missing
  void client.send('chat.send_message', { chatId: 'c-1' });
  // @ts-expect-error -- there is no such command
  void client.send('chat.send_massage', { chatId: 'c-1', message: 'hello' });
  // @ts-expect-error -- there is no such call
  client.call('chat.unheard_of', {}).catch(() => {});
  client.close();
});

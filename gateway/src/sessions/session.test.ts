// The handshake, limits and frames of one connection.
import { CLOSE_CODES, encodeFrame, type Encoding, type UpFrame } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { LIMITS, settle, tokenOf } from './pod.fixture.ts';
import { auth, closedAs, createBench, CUSTOMER, hello, kinds, openBench, subscribe } from './session.fixture.ts';

describe('hello', () => {
  test.each<Encoding>(['msgpack', 'json'])(
    'is answered by welcome, and what came with it by what follows (%s)',
    async (encoding) => {
      const bench = createBench({}, encoding);

      const frames = await bench.say(hello(), subscribe(7, 'order:o-1'));

      expect(frames[0]).toEqual({
        kind: 'welcome',
        version: 1,
        connectionId: 'c-1',
        pingIntervalMs: LIMITS.pingIntervalMs,
        subject: 'u-1',
        limits: { maxFrameBytes: LIMITS.maxFrameBytes, maxSubscriptions: LIMITS.maxSubscriptions },
      });
      expect(kinds(frames)).toEqual(['welcome', 'subscribed', 'live']);
      expect(frames[1]).toMatchObject({ id: 7, channel: 'order:o-1', recovered: false });
    },
  );

  test('may leave the token to the header of the upgrade', async () => {
    const bench = createBench({}, 'msgpack', tokenOf(CUSTOMER));

    expect(kinds(await bench.say({ kind: 'hello', version: 1 }))).toEqual(['welcome']);
  });

  test('and a fault in what came with it end this connection, and nothing else', async () => {
    const bench = createBench();
    bench.pod.pod.commands.command = () => {
      throw new Error('a bug');
    };

    await bench.say(hello(), { kind: 'command', id: 1, commandId: 'c-1', name: 'note.add', data: {} });

    expect(closedAs(bench)).toBe('internal');
    expect(bench.pod.faults).toHaveLength(1);
    expect(bench.pod.sessions.size).toBe(0);
  });

  test('that never comes ends the connection', () => {
    const bench = createBench();
    bench.pass(LIMITS.helloTimeoutMs - 500);
    expect(closedAs(bench)).toBeUndefined();

    bench.pass(1_000);

    expect(closedAs(bench)).toBe('hello_timeout');
  });

  test('is not put off by frames that are none', () => {
    const bench = createBench();
    for (let ms = 0; ms < LIMITS.helloTimeoutMs + 1_000; ms += 500) {
      bench.connection.write({ kind: 'pong' });
      bench.pass(500);
    }

    expect(closedAs(bench)).toBe('hello_timeout');
  });

  test.each<[string, UpFrame]>([
    ['a subscribe', subscribe(1, 'order:o-1')],
    ['an unsubscribe', { kind: 'unsubscribe', id: 1, channel: 'order:o-1' }],
    ['a token', auth(1, tokenOf(CUSTOMER))],
  ])('must come before %s', async (_, frame) => {
    const bench = createBench();
    await bench.say(frame, hello());

    expect(closedAs(bench)).toBe('hello_expected');
  });

  test('must come before a frame that nobody knows', async () => {
    const bench = createBench({}, 'json');
    bench.connection.writeBytes(new TextEncoder().encode('[99]\n'));

    expect(closedAs(bench)).toBe('hello_expected');
  });

  test.each([0, 2, -1, 1_000])('in version %i is refused', async (version) => {
    const bench = createBench();
    await bench.say(hello(tokenOf(CUSTOMER), version));

    expect(closedAs(bench)).toBe('unsupported_version');
  });

  test('a second one is a mistake, and no more', async () => {
    const bench = await openBench();

    expect(kinds(await bench.say(hello()))).toEqual(['error bad_frame']);
    expect(closedAs(bench)).toBeUndefined();
  });

  test.each(['token_missing', 'token_invalid', 'token_expired', 'auth_unavailable'] as const)(
    '%s is told and closes',
    async (fault) => {
      const bench = createBench();
      bench.connection.write(
        fault === 'token_missing' ? { kind: 'hello', version: 1 } : hello(fault),
        subscribe(1, 'order:o-1'),
      );
      await settle();

      expect(kinds(bench.connection.read())).toEqual([`error ${fault}`]);
      expect(closedAs(bench)).toBe(fault);
      expect([bench.pod.sessions.size, bench.pod.channels.size, bench.pod.pod.users.size]).toEqual([0, 0, 0]);
    },
  );

  test('a connection that breaks while its token is verified takes nothing', async () => {
    const bench = createBench();
    bench.connection.write(hello(`slow:${tokenOf(CUSTOMER)}`), subscribe(1, 'order:o-1'));
    await settle();
    bench.connection.break();
    bench.pod.verifying[0]!();
    await settle();

    expect([bench.pod.sessions.size, bench.pod.channels.size, bench.pod.pod.users.size]).toEqual([0, 0, 0]);
  });
});

describe('sizes', () => {
  test('a message at the limit passes, one beyond it closes', async () => {
    const limits = { maxFrameBytes: 200, maxUnauthenticatedBytes: 200 };
    for (const [bytes, expected] of [
      [200, undefined],
      [201, 'frame_too_large'],
    ] as const) {
      const bench = createBench({ limits }, 'json');
      const frame = encodeFrame(hello(), 'json');
      const message = new Uint8Array(bytes).fill(0x20);
      message.set(frame.subarray(0, frame.length - 1));
      bench.connection.writeBytes(message);

      expect(closedAs(bench)).toBe(expected);
    }
  });

  test('what comes before the token is verified is limited in sum and in number', async () => {
    const bytes = createBench({ limits: { maxUnauthenticatedBytes: 1_000 } });
    bytes.connection.write(hello(`slow:${tokenOf(CUSTOMER)}`));
    for (let i = 0; i < 30; i++) bytes.connection.write(subscribe(i, `order:${'o'.repeat(40)}`));
    expect(closedAs(bytes)).toBe('frame_too_large');

    const frames = createBench();
    frames.connection.write(
      hello(`slow:${tokenOf(CUSTOMER)}`),
      ...Array.from({ length: 256 }, (): UpFrame => ({ kind: 'pong' })),
    );
    expect(closedAs(frames)).toBeUndefined();
    frames.connection.write({ kind: 'pong' });
    expect(closedAs(frames)).toBe('rate_limited');
  });
});

describe('frames', () => {
  test('with a fault in them are answered, and the connection goes on', async () => {
    const bench = createBench({}, 'json');
    await bench.say(hello());
    const faulty = [
      '[2]',
      '[2,"x","order:o-1"]',
      '[2,5,7]',
      '[2,5,"order:o-1",null,{"last":0}]',
      '[2,-1,"a"]',
      '[4,6]',
      '[99,8]',
      '[0]',
    ];
    bench.connection.writeBytes(new TextEncoder().encode(`${faulty.join('\n')}\n[2,77,"order:o-1",null,"none"]\n`));

    const frames = await bench.say();

    expect(kinds(frames)).toEqual([...faulty.map(() => 'error bad_frame'), 'subscribed', 'live']);
    expect(frames.slice(0, faulty.length).map((frame) => ('id' in frame ? frame.id : undefined))).toEqual([
      undefined,
      undefined,
      5,
      5,
      undefined,
      6,
      8,
      undefined,
    ]);
    expect(closedAs(bench)).toBeUndefined();
  });

  test('with a fault in them that came with the hello are answered after the welcome', async () => {
    const bench = createBench();
    const frames = await bench.say(
      hello(),
      subscribe(1, 'order:o-1', { first: { last: 0 } }),
      subscribe(2, 'order:o-1'),
    );

    expect(kinds(frames)).toEqual(['welcome', 'error bad_frame', 'subscribed', 'live']);
    expect(frames[1]).toMatchObject({ id: 1 });
    expect(closedAs(bench)).toBeUndefined();
  });

  test('that are no frames close, and nothing behind them in the message has an effect', async () => {
    const bench = createBench({}, 'json');
    await bench.say(hello());
    bench.connection.writeBytes(new TextEncoder().encode('[2,1,"order:o-1"]\n{"kind":"subscribe"}\n'));

    expect(closedAs(bench)).toBe('bad_frame');
    expect(bench.pod.channels.size).toBe(0);
  });

  test('after the end are ignored', async () => {
    const bench = await openBench();
    bench.pod.sessions.closeAll('drain');
    expect(closedAs(bench)).toBe('drain');
    const session = bench.connection.handler!;
    session.message(encodeFrame(subscribe(1, 'order:o-1'), 'msgpack'));
    session.drained();
    session.closed();
    bench.pod.turn();

    expect([bench.pod.channels.size, bench.pod.pod.users.size]).toEqual([0, 0]);
  });
});

describe('a flood of frames', () => {
  const unknown = (count: number): Uint8Array =>
    new Uint8Array(2 * count).fill(0x91).map((byte, i) => (i % 2 ? 99 : byte));

  test('in one message closes before most of it is looked at', async () => {
    for (const [encoding, bytes] of [
      ['msgpack', unknown(400_000)],
      ['json', new TextEncoder().encode('[99]\n'.repeat(190_000))],
    ] as const) {
      const bench = createBench({}, encoding);
      await bench.say(hello());
      bench.connection.writeBytes(bytes);

      expect(closedAs(bench)).toBe('bad_frame');
      expect(bench.pod.pod.counters.errors).toEqual({});
    }
  });

  test('in many messages closes; a steady flow does not', async () => {
    const bench = await openBench();
    for (let second = 0; second < 60; second++) {
      bench.connection.writeBytes(unknown(500));
      await bench.say();
      bench.pod.clock.advance(1_000);
    }
    expect(closedAs(bench)).toBeUndefined();

    for (let i = 0; i < 5; i++) bench.connection.writeBytes(unknown(500));
    expect(closedAs(bench)).toBe('rate_limited');
  });

  test('of bytes closes, over however many connections a user sends them; a steady flow does not', async () => {
    const limits = { maxFrameBytes: 1_000_000 };
    const bench = await openBench({ limits });
    const large = encodeFrame({ kind: 'subscribe', id: 1, channel: 'x'.repeat(900_000) }, 'msgpack');
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 4; i++) bench.connection.writeBytes(large);
      await bench.say();
      bench.pod.clock.advance(1_000);
    }
    expect(closedAs(bench)).toBeUndefined();

    const other = bench.pod.connect();
    other.write(hello());
    await settle();
    for (let i = 0; i < 40 && !other.closed; i++) other.writeBytes(large);
    expect(other.closed?.reason).toBe('rate_limited');
    bench.connection.writeBytes(large);
    expect(closedAs(bench)).toBe('rate_limited');
  });

  test('of tokens is refused beyond the rate of subscribes', async () => {
    const bench = await openBench({ limits: { subscribeBurst: 2, subscribesPerSecond: 10 } });

    const frames = await bench.say(...[1, 2, 3].map((id) => auth(id, tokenOf(CUSTOMER))));

    expect(kinds(frames).sort()).toEqual(['error rate_limited', 'ok', 'ok']);
    expect(frames.find(({ kind }) => kind === 'error')).toMatchObject({ id: 3, retryAfterMs: 100 });
  });
});

describe('subscribing', () => {
  test.each<[string, UpFrame, string]>([
    ['a name that breaks the grammar', subscribe(1, 'order:a b'), 'invalid_channel'],
    ['a name without its parameter', subscribe(1, 'order'), 'invalid_channel'],
    ['a channel that nobody has', subscribe(1, 'orders:o-1'), 'unknown_channel'],
    ["another user's channel", subscribe(1, 'user:u-2'), 'forbidden'],
    ['a channel of another role', subscribe(1, 'merchant:m-1'), 'forbidden'],
    ['a position that is none', subscribe(1, 'order:o-1', { position: 'no position' }), 'invalid_position'],
    ['a name longer than any', subscribe(1, `order:${'\u{1f9fe}'.repeat(200)}`), 'invalid_channel'],
  ])('%s is refused by code, and nothing is kept of it', async (_, frame, code) => {
    const bench = await openBench();

    const frames = await bench.say(frame);

    expect(kinds(frames)).toEqual([`error ${code}`]);
    expect(frames[0]).toMatchObject({ id: 1 });
    expect([bench.pod.channels.size, bench.pod.pod.users.enter('u-1', 0)!.subscriptions]).toEqual([0, 0]);
  });

  test('twice is a mistake; after unsubscribing it is none', async () => {
    const bench = await openBench();

    const first = await bench.say(subscribe(1, 'order:o-1'), subscribe(2, 'order:o-1'), {
      kind: 'unsubscribe',
      id: 3,
      channel: 'order:o-1',
    });
    const second = await bench.say({ kind: 'unsubscribe', id: 4, channel: 'order:o-1' }, subscribe(5, 'order:o-1'));

    expect(kinds(first).filter((kind) => kind !== 'live')).toEqual([
      'subscribed',
      'error already_subscribed',
      'unsubscribed',
    ]);
    expect(kinds(second)).toEqual(['error not_subscribed', 'subscribed', 'live']);
    expect(bench.pod.channels.size).toBe(1);
  });

  test('is limited per socket, per user and in its rate', async () => {
    const socket = await openBench({ limits: { maxSubscriptions: 2 } });
    const user = await openBench({ userLimits: { subscriptions: 2 } });
    for (const bench of [socket, user]) {
      const frames = await bench.say(...[1, 2, 3].map((id) => subscribe(id, `order:o-${id}`)));
      expect(kinds(frames).filter((kind) => kind.startsWith('error'))).toEqual(['error too_many_subscriptions']);
      await bench.say({ kind: 'unsubscribe', id: 4, channel: 'order:o-1' });
      expect(kinds(await bench.say(subscribe(5, 'order:o-5')))[0]).toBe('subscribed');
    }

    const rate = await openBench({ limits: { subscribeBurst: 2, subscribesPerSecond: 10 } });
    const frames = await rate.say(...[1, 2, 3].map((id) => subscribe(id, `order:o-${id}`)));
    const refused = frames.filter((frame) => frame.kind === 'error');
    expect(refused).toMatchObject([{ code: 'rate_limited', id: 3, retryAfterMs: 100 }]);
    rate.pod.clock.advance(100);
    expect(kinds(await rate.say(subscribe(4, 'order:o-3')))[0]).toBe('subscribed');
  });

  test('one connection too many of a user is closed, and leaves room when it goes', async () => {
    const bench = await openBench({ userLimits: { connections: 1 } });
    const second = bench.pod.connect();
    second.write(hello());
    await settle();
    expect(second.closed).toEqual({ code: CLOSE_CODES.too_many_connections, reason: 'too_many_connections' });
    bench.connection.break();
    const third = bench.pod.connect();
    third.write(hello());
    await settle();

    expect(kinds(third.read())).toEqual(['welcome']);
  });
});

test('a clock that is set back stops neither pings nor deadlines', async () => {
  const bench = await openBench();
  const silent = bench.pod.connect();
  bench.pass(2_000);
  bench.pod.clock.setBack(3_600_000);
  const frames = bench.pass(50_000);
  expect(kinds(frames)).toEqual(['ping', 'ping']);
  expect(silent.closed?.reason).toBe('hello_timeout');

  bench.pass(20_000);
  expect(closedAs(bench)).toBe('pong_timeout');
});

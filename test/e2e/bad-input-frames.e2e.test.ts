// I9: what a client may send by mistake or on purpose, in either encoding. Each gets a coded answer; nobody else notices.
import { connect } from 'node:net';
import { type Encoding, CLOSE_CODES, SUBPROTOCOLS, encodeFrame } from '@sluice/schemas';
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import { RawClient, UpgradeRefused } from '../kit/raw-client.ts';
import { randomInt, seededRandom } from '../kit/seed.ts';
import { sharedGateway } from '../kit/shared-gateway.ts';
import { customerToken } from '../kit/token.ts';

const test = sharedGateway({ SLUICE_HELLO_TIMEOUT_MS: '1000' });

const CHANNEL = 'order:o-1';
const bytes = (...values: (number | string)[]): Uint8Array =>
  Buffer.concat(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : Buffer.from([value]))));
const text = (value: string): Uint8Array => Buffer.from(value);
const subscribe = (encoding: Encoding, id: number, channel = CHANNEL): Uint8Array =>
  encodeFrame({ kind: 'subscribe', id, channel }, encoding);

const DEPTH = 200_000;

/** Not well formed: the connection ends with bad_frame. */
const MALFORMED: Record<Encoding, Record<string, Uint8Array>> = {
  json: {
    'no JSON': text('hello?'),
    'an empty message': text(''),
    'an empty line': text('\n'),
    'a truncated frame': text('[2,1,"order:o-1"'),
    'a frame and something more': text('[5] [5]'),
    'a frame and garbage on the next line': Buffer.concat([subscribe('json', 1), text('}\n')]),
    'an object': text('{"kind":"hello"}'),
    'a number': text('7'),
    'an empty array': text('[]'),
    'an array without a number': text('["subscribe",1,"order:o-1"]'),
    'invalid UTF-8': bytes('[2,1,"', 0xff, 0xfe, '"]'),
    'a nul': bytes('[5]', 0),
    '200,000 levels': text(`${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}`),
    '200,000 levels of objects': text(`[2,1,"order:o-1",null,${'{"a":'.repeat(DEPTH / 2)}1`),
    '34 levels': text(`[2,1,"order:o-1",${'['.repeat(33)}${']'.repeat(33)}]`),
  },
  msgpack: {
    'an empty message': bytes(),
    'a reserved byte': bytes(0xc1),
    'a truncated array': bytes(0x93, 2, 1),
    'a truncated text': bytes(0x93, 2, 1, 0xa9, 'order'),
    'a text said to be 4 GB': bytes(0x93, 2, 1, 0xdb, 0xff, 0xff, 0xff, 0xff),
    'an array said to have 4 G elements': bytes(0xdd, 0xff, 0xff, 0xff, 0xff),
    'a map said to have 4 G entries': bytes(0x93, 2, 1, 0xdf, 0xff, 0xff, 0xff, 0xff),
    'a frame and a byte of the next': bytes(0x91, 5, 0x93),
    'a frame and something else': bytes(0x91, 5, 0xc0),
    'a map': bytes(0x81, 0xa1, 'k', 1),
    'an empty array': bytes(0x90),
    'an array without a number': bytes(0x91, 0xa1, 'x'),
    'invalid UTF-8': bytes(0x93, 2, 1, 0xa2, 0xff, 0xfe),
    'an extension': bytes(0x93, 2, 1, 0xd4, 5, 0),
    'a map with numbers for keys': bytes(0x95, 2, 1, 0xa1, 'x', 0xc0, 0x81, 1, 1),
    '200,000 levels': Buffer.concat([Buffer.alloc(DEPTH, 0x91), bytes(0xc0)]),
    '200,000 levels without an end': Buffer.alloc(DEPTH, 0x91),
    'JSON instead of msgpack': text('[5]'),
  },
};

/** Well formed, and not right: `bad_frame` as an answer, and the connection goes on. */
const WRONG: Record<string, readonly unknown[]> = {
  'a frame of an unknown kind': [99, 1, 'order:o-1'],
  'a frame that only the gateway sends': [7, 1, 'order:o-1'],
  'a reserved kind': [6, 1, 'cancel', {}],
  'a kind that is no integer': [2.5, 1, 'order:o-1'],
  'a subscribe without anything': [2],
  'a subscribe without a channel': [2, 1],
  'an id that is text': [2, '1', 'order:o-1'],
  'a negative id': [2, -1, 'order:o-1'],
  'an id that is no integer': [2, 1.5, 'order:o-1'],
  'an id beyond 32 bits': [2, 4_294_967_296, 'order:o-1'],
  'an id that is null': [2, null, 'order:o-1'],
  'a channel that is a number': [2, 1, 17],
  'a channel that is a list': [2, 1, ['order:o-1']],
  'a channel of 10 KB': [2, 1, `order:${'o'.repeat(10_240)}`],
  'a position of 10 KB': [2, 1, 'order:o-1', 'x'.repeat(10_240)],
  'a position that is a number': [2, 1, 'order:o-1', 5],
  'first events of an unknown kind': [2, 1, 'order:o-1', null, 'everything'],
  'no last event': [2, 1, 'order:o-1', null, { last: 0 }],
  'too many last events': [2, 1, 'order:o-1', null, { last: 1e9 }],
  'half a last event': [2, 1, 'order:o-1', null, { last: 1.5 }],
  'events since tomorrow': [2, 1, 'order:o-1', null, { sinceMs: -86_400_000 }],
  'a second hello': [1, 1, 'some token'],
  'an unsubscribe without a channel': [3, 1],
  'an auth without a token': [4, 1],
  'an auth with a token of 20 KB': [4, 1, 'x'.repeat(20_480)],
};

/** Right, and refused: each with its code, its id and its channel. */
const REFUSED: Record<string, { frame: readonly unknown[]; answer: Record<string, unknown> }> = {
  'a position that is none': {
    frame: [2, 8, CHANNEL, 'not a position'],
    answer: { code: 'invalid_position', id: 8, channel: CHANNEL },
  },
  'a position with a forged entry': {
    frame: [2, 8, CHANNEL, 'KEY~EPOCH.zzzzzzzzzzzzzzzzzzzz.0'],
    answer: { code: 'invalid_position', id: 8, channel: CHANNEL },
  },
  'an unsubscribe of what is not subscribed': {
    frame: [3, 8, 'order:o-99'],
    answer: { code: 'not_subscribed', id: 8, channel: 'order:o-99' },
  },
  'an auth with garbage': { frame: [4, 8, 'no token'], answer: { code: 'token_invalid', id: 8 } },
};

/** Wire arrays as bytes, also those that no codec of ours would write. */
const wire = (encoding: Encoding, frame: readonly unknown[]): Uint8Array => {
  if (encoding === 'json') return text(`${JSON.stringify(frame)}\n`);
  return Buffer.concat([Buffer.from([0x90 | frame.length]), ...frame.map(packed)]);
};

const packed = (value: unknown): Buffer => {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === 'number') {
    const float = Buffer.alloc(9, 0xcb);
    float.writeDoubleBE(value, 1);
    return Number.isInteger(value) && value >= 0 && value < 128 ? Buffer.from([value]) : float;
  }
  if (typeof value === 'string') {
    const head = Buffer.alloc(5, 0xdb);
    head.writeUInt32BE(Buffer.byteLength(value), 1);
    return Buffer.concat([head, Buffer.from(value)]);
  }
  if (Array.isArray(value)) return Buffer.concat([Buffer.from([0x90 | value.length]), ...value.map(packed)]);
  const entries = Object.entries(value as Record<string, unknown>);
  return Buffer.concat([Buffer.from([0x80 | entries.length]), ...entries.flat().map(packed)]);
};

const sendTo = ({ raw, encoding }: FrameClient, message: Uint8Array, isBinary = encoding === 'msgpack'): void =>
  raw.sendFrame(isBinary ? 0x2 : 0x1, message);

describe.for(['json', 'msgpack'] as const)('%s', (encoding) => {
  test.for(Object.entries(MALFORMED[encoding]))('%s ends the connection', async ([name, message], { openFrames }) => {
    const client = await openFrames({ encoding });

    // A text message that is not UTF-8 is a fault of the WebSocket, which ends it before us.
    sendTo(client, message, encoding === 'msgpack' || name === 'invalid UTF-8');

    await expect(client.raw.closed).resolves.toEqual({ code: CLOSE_CODES.bad_frame, reason: 'bad_frame' });
    expect(client.recorder.channels()).toEqual([]);
  });

  test.for(Object.entries(MALFORMED[encoding]))(
    '%s before a hello ends the connection',
    async ([name, message], { gateway }) => {
      using client = await FrameClient.open({ url: gateway.url, encoding });

      sendTo(client, message, encoding === 'msgpack' || name === 'invalid UTF-8');

      const { code } = await client.raw.closed;
      // The long ones are refused by their length.
      expect(code).toBe(message.length > 65_536 ? CLOSE_CODES.frame_too_large : CLOSE_CODES.bad_frame);
    },
  );

  test('what is well formed and wrong is answered, and the connection goes on', async ({ openFrames, connection }) => {
    const client = await openFrames({ encoding });

    for (const [name, frame] of Object.entries(WRONG)) {
      sendTo(client, wire(encoding, frame));
      const answer = await client.next('error');
      const id = typeof frame[1] === 'number' && Number.isInteger(frame[1]) && frame[1] >= 0 ? { id: frame[1] } : {};
      expect({ name, ...answer }).toEqual({
        name,
        kind: 'error',
        code: 'bad_frame',
        message: expect.any(String) as string,
        ...(name === 'a second hello' ? {} : id),
      });
      expect(answer.message.length).toBeLessThan(300);
    }

    await client.subscribeUntilLive(CHANNEL, { first: 'none' });
    const [event] = await publishOrderEvents(connection, 1, { orderId: 'o-1' });
    await eventually(() => client.recorder.has(CHANNEL, event!));
  });

  test('what is right and cannot be done is refused by its code', async ({ openFrames }) => {
    const client = await openFrames({ encoding });

    for (const { frame, answer } of Object.values(REFUSED)) {
      sendTo(client, wire(encoding, frame));
      await expect(client.next('error')).resolves.toMatchObject(answer);
    }
  });

  test('a wrong frame between two right ones of a message takes nothing from them', async ({ openFrames }) => {
    const client = await openFrames({ encoding });

    sendTo(
      client,
      Buffer.concat([
        subscribe(encoding, 1, 'order:o-1'),
        wire(encoding, [2, 2, 17]),
        wire(encoding, [99, 3]),
        subscribe(encoding, 4, 'order:o-2'),
      ]),
    );

    await expect(client.next('error')).resolves.toMatchObject({ code: 'bad_frame', id: 2 });
    await expect(client.next('error')).resolves.toMatchObject({ code: 'bad_frame', id: 3 });
    await client.next('live', ({ channel }) => channel === 'order:o-1');
    await client.next('live', ({ channel }) => channel === 'order:o-2');
  });

  test('elements beyond those that are known are ignored', async ({ openFrames }) => {
    const client = await openFrames({ encoding });

    sendTo(client, wire(encoding, [2, 1, CHANNEL, null, 'none', 'of', { a: 'later' }, ['version']]));

    await expect(client.next('subscribed')).resolves.toMatchObject({ id: 1, channel: CHANNEL });
  });

  test.for([
    { what: 'a subscribe', frame: [2, 1, CHANNEL] },
    { what: 'an unsubscribe', frame: [3, 1, CHANNEL] },
    { what: 'an auth', frame: [4, 1, 'token'] },
    { what: 'a frame of an unknown kind', frame: [99] },
    { what: 'a hello with a wrong field', frame: [1, 'one'] },
  ])('$what before the hello ends the connection', async ({ frame }, { gateway }) => {
    using client = await FrameClient.open({ url: gateway.url, encoding });

    sendTo(client, wire(encoding, frame));
    client.hello(await customerToken());

    await expect(client.raw.closed).resolves.toEqual({ code: CLOSE_CODES.hello_expected, reason: 'hello_expected' });
    expect(client.frames).toEqual([]);
  });

  test.for([0, 2, -1, 1e15])('a hello of version %d ends the connection', async (version, { gateway }) => {
    using client = await FrameClient.open({ url: gateway.url, encoding });

    sendTo(client, wire(encoding, [1, version, await customerToken()]));

    await expect(client.raw.closed).resolves.toMatchObject({ code: CLOSE_CODES.unsupported_version });
  });

  test('messages of random bytes end one connection each, or are answered', async ({ gateway, openFrames }) => {
    const random = seededRandom(`frames ${encoding}`);
    const good = wire(encoding, [2, 7, CHANNEL, null, { last: 3 }]);

    for (let round = 0; round < 150; round += 1) {
      const message = Buffer.from(good);
      const changes = randomInt(random, 1, 4);
      for (let change = 0; change < changes; change += 1) {
        message[randomInt(random, 0, message.length - 1)] = randomInt(random, 0, 255);
      }
      const cut = message.subarray(0, randomInt(random, 1, message.length));
      using client = await openFrames({ encoding });
      sendTo(client, cut, true);
      const ended = client.raw.closed.then(({ code }) => code);
      const answered = Promise.race([client.next('subscribed'), client.next('error')]).then(
        () => 'answered' as const,
        () => ended,
      );
      const outcome = await Promise.race([ended, answered]);
      expect(['answered', CLOSE_CODES.bad_frame]).toContain(outcome);
    }
    expect(gateway.isRunning).toBe(true);
  }, 60_000);
});

describe('size', () => {
  test('a message longer than the limit ends the connection, one of just that size does not', async ({
    openFrames,
  }) => {
    const padded = `[99,1,"${'x'.repeat(1_000_000 - 9)}"]`;
    expect(padded).toHaveLength(1_000_000);

    const client = await openFrames();
    client.raw.send(padded);
    await expect(client.next('error')).resolves.toMatchObject({ code: 'bad_frame', id: 1 });
    client.raw.send(`${padded} `);

    await expect(client.raw.closed).resolves.toEqual({ code: CLOSE_CODES.frame_too_large, reason: 'frame_too_large' });
  });

  test('a message far beyond the limit is not even read', async ({ openFrames }) => {
    const client = await openFrames();

    client.raw.send(Buffer.alloc(8_000_000, 0x20));

    const { code } = await client.raw.closed;
    expect([1006, 1009, CLOSE_CODES.frame_too_large]).toContain(code);
  });

  test('before the token is known, 64 KiB are the limit, however they are cut', async ({ gateway }) => {
    using one = await FrameClient.open({ url: gateway.url });
    one.raw.send(`[5,"${'x'.repeat(65_536)}"]`);
    using many = await FrameClient.open({ url: gateway.url });
    for (let sent = 0; sent < 70_000; sent += 1_000) many.raw.send(`[5,"${'x'.repeat(994)}"]`);

    await expect(one.raw.closed).resolves.toMatchObject({ code: CLOSE_CODES.frame_too_large });
    await expect(many.raw.closed).resolves.toMatchObject({ code: CLOSE_CODES.frame_too_large });
  });
});

describe('the handshake', () => {
  test('a hello that never comes ends the connection', async ({ gateway }) => {
    using client = await FrameClient.open({ url: gateway.url });

    await expect(client.raw.closed).resolves.toEqual({ code: CLOSE_CODES.hello_timeout, reason: 'hello_timeout' });
  });

  test('pongs are no hello', async ({ gateway }) => {
    using client = await FrameClient.open({ url: gateway.url });
    const ponging = setInterval(() => client.send({ kind: 'pong' }), 100);

    const { code } = await client.raw.closed;
    clearInterval(ponging);

    expect(code).toBe(CLOSE_CODES.hello_timeout);
  });

  test('subscribes beside the hello are served; hundreds of them, before the token is known, are too many', async ({
    gateway,
  }) => {
    using client = await FrameClient.open({ url: gateway.url });
    const hello = encodeFrame({ kind: 'hello', version: 1, token: await customerToken() }, 'json');
    client.raw.send(
      Buffer.concat([hello, ...Array.from({ length: 300 }, (_, id) => subscribe('json', id))]).toString(),
    );

    await expect(client.raw.closed).resolves.toMatchObject({ code: CLOSE_CODES.rate_limited });
  });

  test.for([
    { what: 'no subprotocol', options: {}, status: 400 },
    { what: 'an unknown subprotocol', options: { subprotocol: 'sluice.v9.json, chat' }, status: 400 },
  ])('an upgrade with $what is refused', async ({ options, status }, { gateway }) => {
    const refused = await RawClient.connect(gateway.url, options).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(UpgradeRefused);
    expect(refused).toMatchObject({ status, body: expect.stringContaining(SUBPROTOCOLS.json) as string });
  });

  test('other paths are told where WebSockets are served', async ({ gateway }) => {
    const response = await fetch(gateway.url.replace('ws:', 'http:').replace('/v1/ws', '/v2/../etc/passwd'));

    expect(response.status).toBe(404);
  });

  test.for([
    { what: 'no HTTP', request: bytes(0, 1, 2, 'garbage\r\n\r\n') },
    { what: 'a line without an end', request: Buffer.alloc(2_000_000, 0x41) },
    { what: 'a header without an end', request: text(`GET /v1/ws HTTP/1.1\r\nX: ${'y'.repeat(2_000_000)}`) },
  ])('$what in place of a request is dropped', async ({ request }, { gateway }) => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' });
    socket.on('error', () => {}); // a reset is an answer, too
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    socket.write(request);
    await closed;
  });
});

describe('broken WebSocket frames', () => {
  test.for([
    { what: 'a frame without a mask', send: (raw: RawClient) => raw.sendFrame(0x1, text('[5]'), { isMasked: false }) },
    { what: 'a reserved opcode', send: (raw: RawClient) => raw.sendFrame(0x3, text('[5]')) },
    { what: 'a ping of 200 bytes', send: (raw: RawClient) => raw.sendFrame(0x9, Buffer.alloc(200)) },
    { what: 'a continuation of nothing', send: (raw: RawClient) => raw.sendFrame(0x0, text('[5]')) },
    { what: 'text that is not UTF-8', send: (raw: RawClient) => raw.sendFrame(0x1, bytes('[5,"', 0xff, '"]')) },
    { what: 'reserved bits', send: (raw: RawClient) => raw.sendBytes(bytes(0xf1, 0x83, 0, 0, 0, 0, '[5]')) },
    {
      what: 'a length of 2^63',
      send: (raw: RawClient) => raw.sendBytes(bytes(0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
    },
  ])('$what ends the connection', async ({ send }, { openFrames }) => {
    const client = await openFrames();

    send(client.raw);
    // A peer that waits for the rest of a frame gets it.
    client.raw.sendBytes(Buffer.alloc(64));

    await client.raw.closed;
  });

  test('a message in many fragments, with a ping between them, is one message', async ({ openFrames }) => {
    const client = await openFrames();
    const message = subscribe('json', 3);

    client.raw.sendFrame(0x1, message.subarray(0, 2), { isFinal: false });
    client.raw.sendFrame(0x9, text('still there?'));
    for (let at = 2; at < message.length - 1; at += 1) {
      client.raw.sendFrame(0x0, message.subarray(at, at + 1), { isFinal: false });
    }
    client.raw.sendFrame(0x0, message.subarray(message.length - 1));

    await expect(client.next('subscribed')).resolves.toMatchObject({ id: 3 });
  });
});

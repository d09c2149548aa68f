// The raw client against uWebSockets.js, the server that it will talk to.
import uws from 'uWebSockets.js';
import { test as base, expect } from 'vitest';
import { RawClient } from './raw-client.ts';

const test = base.extend<{ url: string }>({
  url: async ({ task: _task }, use) => {
    const app = uws.App();
    app.get('/refused', (response) => void response.writeStatus('404 Not Found').end('no such thing'));
    app.ws('/v1/ws', {
      maxPayloadLength: 100_000,
      message: (socket, message, isBinary) => {
        const text = Buffer.from(message).toString();
        if (text === 'bye') socket.end(4007, 'see you');
        else if (text === 'abort') socket.close();
        else socket.send(message, isBinary);
      },
    });
    const socket = await new Promise<uws.us_listen_socket>((resolve, reject) =>
      app.listen('127.0.0.1', 0, (opened) => (opened ? resolve(opened) : reject(new Error('cannot listen')))),
    );
    await use(`ws://127.0.0.1:${uws.us_socket_local_port(socket)}/v1/ws`);
    app.close();
  },
});

test('text and binary messages of every length form come back whole', async ({ url }) => {
  using client = await RawClient.connect(url, { subprotocol: 'x.y' });

  for (const size of [1, 125, 126, 65_535, 65_536, 90_000]) {
    client.send(Buffer.alloc(size, 'ab'));
    const { bytes, isBinary } = await client.nextMessage();
    expect([isBinary, bytes.equals(Buffer.alloc(size, 'ab'))]).toEqual([true, true]);
  }
  client.send('grüße');
  expect((await client.nextMessage()).bytes.toString()).toBe('grüße');
});

test('a close frame is told with code and reason', async ({ url }) => {
  using client = await RawClient.connect(url);

  client.send('bye');

  expect(await client.closed).toEqual({ code: 4007, reason: 'see you' });
});

test('an end without a close frame is 1006', async ({ url }) => {
  using client = await RawClient.connect(url);

  client.send('abort');

  expect((await client.closed).code).toBe(1006);
  await expect(client.nextMessage()).rejects.toThrow('closed with 1006');
});

test('garbage ends the connection', async ({ url }) => {
  using client = await RawClient.connect(url);

  client.sendBytes(Buffer.from('no frame at all'));

  await client.closed;
});

test('a refused upgrade is told with its status', async ({ url }) => {
  const refused = RawClient.connect(url.replace('/v1/ws', '/refused'));

  await expect(refused).rejects.toMatchObject({ name: 'UpgradeRefused', status: 404 });
});

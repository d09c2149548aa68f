// The proxy's own behaviour, against a plain echo server.
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { test as base, expect } from 'vitest';
import { consistently, eventually } from './eventually.ts';
import { FaultProxy } from './fault-proxy.ts';
import { seededRandom } from './seed.ts';

interface Echo {
  port: number;
  sockets: Set<Socket>;
}

const test = base.extend<{ echo: Echo; proxy: FaultProxy; dial: () => Promise<Peer> }>({
  echo: async ({ task: _task }, use) => {
    const sockets = new Set<Socket>();
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await use({ port: (server.address() as AddressInfo).port, sockets });
    for (const socket of sockets) socket.destroy();
    server.close();
  },
  proxy: async ({ echo }, use) => {
    await using proxy = await FaultProxy.start({ port: echo.port });
    await use(proxy);
  },
  dial: async ({ proxy }, use) => {
    const peers: Peer[] = [];
    await use(async () => {
      const peer = await dialPeer(proxy.port);
      peers.push(peer);
      return peer;
    });
    for (const peer of peers) peer.socket.destroy();
  },
});

interface Peer {
  socket: Socket;
  received(): string;
  isClosed(): boolean;
}

async function dialPeer(port: number): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let received = '';
  let isClosed = false;
  socket.on('data', (bytes) => (received += bytes.toString('latin1')));
  socket.on('error', () => {});
  socket.on('end', () => (isClosed = true));
  socket.on('close', () => (isClosed = true));
  await once(socket, 'connect');
  return { socket, received: () => received, isClosed: () => isClosed };
}

test('bytes pass both ways unchanged and are counted', async ({ proxy, dial }) => {
  const peer = await dial();
  const text = 'x'.repeat(300_000) + 'end';

  peer.socket.write(text);
  await eventually(() => peer.received().length === text.length);

  expect(peer.received()).toBe(text);
  expect(proxy.stats()).toEqual({
    connections: 1,
    refused: 0,
    open: 1,
    bytesToTarget: text.length,
    bytesToClient: text.length,
  });
});

test('an orderly end passes through after the bytes before it', async ({ proxy, dial }) => {
  const peer = await dial();

  peer.socket.end('last words');
  await eventually(() => peer.isClosed());

  expect(peer.received()).toBe('last words');
  await eventually(() => proxy.stats().open === 0);
});

test('a cut closes both sides, and a new connection works at once', async ({ proxy, echo, dial }) => {
  const peer = await dial();
  await eventually(() => echo.sockets.size === 1);

  expect(proxy.cut()).toBe(1);

  await eventually(() => peer.isClosed() && echo.sockets.size === 0);
  const next = await dial();
  next.socket.write('again');
  await eventually(() => next.received() === 'again');
});

test('a partition refuses new connections until it is healed', async ({ proxy, dial }) => {
  const peer = await dial();

  proxy.partition();
  await eventually(() => peer.isClosed());
  const refused = await dial();
  await eventually(() => refused.isClosed());
  proxy.heal();

  expect(proxy.stats().refused).toBe(1);
  const next = await dial();
  next.socket.write('back');
  await eventually(() => next.received() === 'back');
});

test('a frozen link forwards nothing, closes nothing, and goes on where it stopped', async ({ proxy, dial }) => {
  const peer = await dial();
  proxy.freeze();

  peer.socket.write('held');

  await consistently(() => peer.received() === '' && !peer.isClosed(), { forMs: 200 });
  proxy.thaw();
  await eventually(() => peer.received() === 'held');
});

test('one direction can be frozen alone', async ({ proxy, dial }) => {
  const peer = await dial();
  proxy.freeze('toClient');

  peer.socket.write('one way');

  await eventually(() => proxy.stats().bytesToTarget === 7);
  await consistently(() => peer.received() === '', { forMs: 100 });
});

test('a side that gives up a frozen link is not noticed by the other until it heals', async ({ proxy, echo, dial }) => {
  const peer = await dial();
  await eventually(() => echo.sockets.size === 1);
  proxy.freeze();

  peer.socket.destroy();

  await consistently(() => echo.sockets.size === 1, { forMs: 200 });
  proxy.heal();
  await eventually(() => echo.sockets.size === 0);
});

test('a delay holds every byte that long, in order', async ({ proxy, dial }) => {
  const peer = await dial();
  proxy.delay(150, 'toTarget');

  const startMs = performance.now();
  for (const part of ['a', 'b', 'c']) peer.socket.write(part);
  await eventually(() => peer.received() === 'abc', { intervalMs: 5 });

  expect(performance.now() - startMs).toBeGreaterThanOrEqual(149);
});

test('a throttle lets no more through than its rate', async ({ proxy, dial }) => {
  const peer = await dial();
  proxy.throttle(50_000, 'toTarget');

  const startMs = performance.now();
  peer.socket.write('x'.repeat(30_000));
  await eventually(() => peer.received().length === 30_000, { intervalMs: 5 });

  // 30,000 bytes at 50,000 a second, less the tenth of a second that may go at once.
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(450);
  expect(peer.received()).toBe('x'.repeat(30_000));
});

test('a lifted throttle lets the rest go', async ({ proxy, dial }) => {
  const peer = await dial();
  proxy.throttle(10);
  peer.socket.write('x'.repeat(100_000));
  await eventually(() => proxy.stats().bytesToTarget > 0);

  proxy.heal();

  await eventually(() => peer.received().length === 100_000);
});

test('random cuts follow the injected random and stop', async ({ proxy, dial }) => {
  const peer = await dial();
  const cuts = proxy.cutAtRandom({ random: seededRandom('cuts', 7), minMs: 1, maxMs: 20 });
  await eventually(() => peer.isClosed());

  expect(cuts.stop()).toBe(1);

  const next = await dial();
  await consistently(() => !next.isClosed(), { forMs: 100 });
});

test('a target that is down closes the dialling side', async ({ proxy, dial }) => {
  proxy.retarget({ port: 1 });

  const peer = await dial();

  await eventually(() => peer.isClosed());
});

// The edge over real sockets: what a connection leaves behind when it is closed, and what it keeps while it is open.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import type { Connection } from './transport.ts';
import { createWebSocketServer, type WebSocketServer } from './uws.ts';

const opened: (() => void)[] = [];

afterEach(() => {
  for (const end of opened.splice(0)) end();
});

interface Peer {
  readonly socket: Socket;
  readonly connection: Connection;
  /** Everything after the answer to the upgrade, once the peer has read to the end. */
  rest(): Promise<Buffer>;
}

/** A peer that does not read before it is told to. */
const dial = async (onThrow: (error: unknown) => void = () => {}, message = (): void => {}): Promise<Peer> => {
  let accept: (connection: Connection) => void;
  const accepted = new Promise<Connection>((resolve) => (accept = resolve));
  const server: WebSocketServer = createWebSocketServer({
    host: '127.0.0.1',
    port: 0,
    path: '/v1/ws',
    maxFrameBytes: 1_000,
    isCompressed: false,
    isTokenInQueryAllowed: false,
    idleTimeoutMs: 60_000,
    maxLingeringBytes: 1_000_000,
    clock: new ManualClock(),
    accept: (connection) => {
      accept(connection);
      return { message, drained: () => {}, closed: () => {} };
    },
    refusal: () => undefined,
    onFault: onThrow,
  });
  const socket = connect(await server.listen(), '127.0.0.1');
  opened.push(() => {
    socket.destroy();
    server.close();
  });
  socket.pause();
  socket.write(
    'GET /v1/ws HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Protocol: sluice.v1.msgpack\r\n\r\n',
  );
  const connection = await accepted;
  return {
    socket,
    connection,
    rest: async () => {
      const parts: Buffer[] = [];
      socket.on('data', (part: Buffer) => parts.push(part));
      socket.on('error', () => {});
      socket.resume();
      await once(socket, 'close');
      const all = Buffer.concat(parts);
      return all.subarray(all.indexOf('\r\n\r\n') + 4);
    },
  };
};

/** A close frame at the end: opcode 8, then the code. */
const closeCodeOf = (bytes: Buffer): number | undefined => {
  const at = bytes.lastIndexOf(0x88);
  return at >= 0 && bytes.length - at <= 127 ? bytes.readUInt16BE(at + 2) : undefined;
};

test('a peer that reads gets what was sent, and the code of the close', async () => {
  const { connection, rest } = await dial();
  connection.send(new Uint8Array(1_000).fill(1));
  connection.close(4008, 'overloaded');

  const bytes = await rest();

  expect(bytes.length).toBeGreaterThan(1_000);
  expect(closeCodeOf(bytes)).toBe(4008);
});

test('a peer that does not read is not waited for over the budget: what was buffered for it is given up', async () => {
  const { connection, rest } = await dial();
  let sent = 0;
  while (connection.bufferedBytes() < 2_000_000) {
    connection.send(new Uint8Array(1_000_000));
    sent += 1_000_000;
  }
  connection.close(4008, 'overloaded');

  const bytes = await rest();

  expect(bytes.length).toBeLessThan(sent - 1_000_000);
  expect(closeCodeOf(bytes)).toBeUndefined();
});

test('a handler that throws loses its connection, not the pod', async () => {
  const faults: unknown[] = [];
  const { socket, rest } = await dial(
    (error) => faults.push(error),
    () => {
      throw new Error('a bug');
    },
  );
  // A masked binary frame of one byte.
  socket.write(Uint8Array.from([0x82, 0x81, 0, 0, 0, 0, 0x90]));

  expect(closeCodeOf(await rest())).toBe(4003);
  expect(faults).toEqual([new Error('a bug')]);
});

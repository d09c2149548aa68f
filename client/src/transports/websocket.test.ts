import { expect, test, vi } from 'vitest';
import type { TransportHandlers } from './transport.ts';
import { createWebSocketTransport, type WebSocketConstructor } from './websocket.ts';

class FakeSocket extends EventTarget {
  static last: FakeSocket;
  binaryType = 'blob';
  readonly bufferedAmount = 7;
  readonly sent: unknown[] = [];
  readonly closes: (number | undefined)[] = [];
  readonly arguments: unknown[];

  constructor(...args: unknown[]) {
    super();
    this.arguments = args;
    FakeSocket.last = this;
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.closes.push(code);
  }

  tell(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

const REQUEST = { url: 'ws://gateway.test/v1/ws', subprotocol: 'sluice.v1.msgpack' };

const listen = () => ({ opened: vi.fn(), message: vi.fn(), closed: vi.fn() }) satisfies TransportHandlers;

const open = () => {
  const handlers = listen();
  const link = createWebSocketTransport(FakeSocket as unknown as WebSocketConstructor)(REQUEST, handlers);
  return { link, handlers, socket: FakeSocket.last };
};

test('the socket asks for the subprotocol and for bytes', () => {
  const { socket, link } = open();

  expect(socket.arguments).toEqual([REQUEST.url, [REQUEST.subprotocol]]);
  expect(socket.binaryType).toBe('arraybuffer');
  expect(link.bufferedBytes).toBe(7);
});

test('text stays text and binary becomes bytes', () => {
  const { socket, handlers } = open();
  socket.tell('open');
  socket.tell('message', { data: '[1]\n' });
  socket.tell('message', { data: new Uint8Array([1, 2]).buffer });

  expect(handlers.opened).toHaveBeenCalledOnce();
  expect(handlers.message.mock.calls).toEqual([['[1]\n'], [new Uint8Array([1, 2])]]);
});

test('an error says nothing by itself; the close that follows does', () => {
  const { socket, handlers } = open();
  socket.tell('error');
  expect(handlers.closed).not.toHaveBeenCalled();

  socket.tell('close', { code: 4007, reason: 'token_expired' });

  expect(handlers.closed).toHaveBeenCalledExactlyOnceWith(4007, 'token_expired');
});

test('close uses only codes that an application may send', () => {
  const { socket, link } = open();
  link.close(1000);
  link.close(4001);
  link.close(1006);

  expect(socket.closes).toEqual([1000, 4001, 1000]);
});

test('a constructor that throws is a connection that closes, after the call', async () => {
  const handlers = listen();
  const Refusing = function (): never {
    throw new SyntaxError('insecure');
  };
  const link = createWebSocketTransport(Refusing as never)(REQUEST, handlers);
  expect(handlers.closed).not.toHaveBeenCalled();
  link.send('nothing');
  link.close(1000);
  await Promise.resolve();

  expect(handlers.closed).toHaveBeenCalledExactlyOnceWith(1006, 'insecure');
});

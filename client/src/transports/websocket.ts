// A transport over any WebSocket with the interface of the browser's: the global one, or that of the `ws` package.
import type { Transport } from './transport.ts';

/** The part of the WebSocket interface that is used; the browser's and `ws` both have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer> | string): void;
  close(code?: number): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

const ABNORMAL = 1006;
/** Applications may send 1000 and 3000-4999 only; others would throw. */
const NORMAL = 1000;

export const createWebSocketTransport =
  (WebSocket: WebSocketConstructor): Transport =>
  ({ url, subprotocol }, handlers) => {
    let socket: WebSocketLike;
    try {
      socket = new WebSocket(url, [subprotocol]);
    } catch (error) {
      // After this returns, so that the caller holds the link that is being closed.
      queueMicrotask(() => handlers.closed(ABNORMAL, error instanceof Error ? error.message : String(error)));
      return { send: () => {}, close: () => {}, bufferedBytes: 0 };
    }
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => handlers.opened());
    socket.addEventListener('message', ({ data }) =>
      handlers.message(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer)),
    );
    // An error is always followed by a close, which says all there is to know; unheard it would end a Node process.
    socket.addEventListener('error', () => {});
    socket.addEventListener('close', ({ code, reason }) => handlers.closed(code, reason));
    return {
      send: (message) => socket.send(message as Uint8Array<ArrayBuffer> | string),
      close: (code) => socket.close(code === NORMAL || (code >= 3_000 && code <= 4_999) ? code : NORMAL),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
    };
  };

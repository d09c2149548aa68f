// The one file that knows uWebSockets.js: upgrades on /v1/ws, bytes in and out. Knows no frame.
import { CLOSE_CODES, SUBPROTOCOLS, type Encoding } from '@sluice/schemas';
// The default import works with this registry's copy (CommonJS) and with upstream's ESM wrapper alike.
import uws from 'uWebSockets.js';
import type { HttpRequest, HttpResponse, us_listen_socket, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../operations/clock.ts';
import type { Accept, Connection, ConnectionHandler, Upgrade } from './transport.ts';

export interface WebSocketServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly path: string;
  readonly maxFrameBytes: number;
  readonly isCompressed: boolean;
  readonly isTokenInQueryAllowed: boolean;
  /** How long nothing may come of a client before its socket is cut off, unless somebody has closed it before. */
  readonly idleTimeoutMs: number;
  /** Over all closed sockets whose peers have not read to the end. */
  readonly maxLingeringBytes: number;
  readonly clock: Clock;
  readonly accept: Accept;
  /** Why a new connection is refused with 503 right now, if it is. */
  readonly refusal: () => string | undefined;
  /** A handler threw, which is a bug: its connection is closed. */
  readonly onFault: (error: unknown) => void;
}

export interface WebSocketServer {
  /** The port. Throws `internal` if it cannot be taken. */
  listen(): Promise<number>;
  /** Takes no more connections. Those that are open stay. */
  close(): void;
}

interface SocketData {
  readonly encoding: Encoding;
  /** Until the connection is open: it may hold the token. */
  upgrade: Upgrade | undefined;
  handler: ConnectionHandler | undefined;
  connection: UwsConnection | undefined;
}

const OK = 1;
/** Longer frames than we allow are still read up to twice the limit, so that their sender gets a coded close. */
const OVERSIZE_FACTOR = 2;
/** Our own budgets end far below; uWS drops messages silently at its own limit, so it must never be reached. */
const UNREACHABLE_BYTES = 1024 * 1024 * 1024;
const MIN_IDLE_SECONDS = 8;
const MAX_IDLE_SECONDS = 960;
/** uWS looks that often, and may be early by as much. */
const IDLE_TICK_SECONDS = 4;

/** uWS gives a closed socket this long to take what is buffered for it, and does not tell when it has. */
const LINGER_MS = 16_000;

/** What closed sockets may still hold for peers that are slow to read. */
class Lingering {
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #closes: { readonly bytes: number; readonly endsAtMs: number }[] = [];
  #bytes = 0;

  constructor(maxBytes: number, clock: Clock) {
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  /** False if the pod has no room for it: then the socket has to be cut off. */
  add(bytes: number): boolean {
    const now = this.#clock.now();
    while (this.#closes[0] && this.#closes[0].endsAtMs <= now) this.#bytes -= this.#closes.shift()!.bytes;
    if (this.#bytes + bytes > this.#maxBytes) return false;
    if (bytes > 0) this.#closes.push({ bytes, endsAtMs: now + LINGER_MS });
    this.#bytes += bytes;
    return true;
  }
}

class UwsConnection implements Connection {
  readonly encoding: Encoding;
  #socket: WebSocket<SocketData> | undefined;
  readonly #isCompressed: boolean;
  readonly #lingering: Lingering;

  constructor(socket: WebSocket<SocketData>, encoding: Encoding, isCompressed: boolean, lingering: Lingering) {
    this.#socket = socket;
    this.encoding = encoding;
    this.#isCompressed = isCompressed;
    this.#lingering = lingering;
  }

  send(bytes: Uint8Array): boolean {
    return this.#socket ? this.#socket.send(bytes, this.encoding === 'msgpack', this.#isCompressed) === OK : true;
  }

  bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    if (this.#lingering.add(socket.getBufferedAmount())) socket.end(code, reason);
    else socket.close();
  }

  /** The socket is gone: touching it from here on would throw. */
  forget(): void {
    this.#socket = undefined;
  }
}

export const createWebSocketServer = (options: WebSocketServerOptions): WebSocketServer => {
  const { path, isCompressed, accept } = options;
  const lingering = new Lingering(options.maxLingeringBytes, options.clock);
  /** An exception out of a callback of uWS would end the process: one connection's bug is not everybody's. */
  const guard = (data: SocketData, act: () => void): void => {
    try {
      act();
    } catch (error) {
      options.onFault(error);
      data.connection?.close(CLOSE_CODES.internal, 'internal');
    }
  };
  let listening: us_listen_socket | undefined;
  const app = uws.App();
  app.ws<SocketData>(path, {
    compression: isCompressed ? uws.SHARED_COMPRESSOR : uws.DISABLED,
    maxPayloadLength: options.maxFrameBytes * OVERSIZE_FACTOR,
    maxBackpressure: UNREACHABLE_BYTES,
    idleTimeout: idleSeconds(options.idleTimeoutMs),
    sendPingsAutomatically: false,
    upgrade: (response, request, context) => upgrade(response, request, context, options),
    open: (socket) => {
      const data = socket.getUserData();
      const { encoding, upgrade: request } = data;
      data.upgrade = undefined;
      const connection = new UwsConnection(socket, encoding, isCompressed, lingering);
      data.connection = connection;
      guard(data, () => {
        data.handler = accept(connection, request!);
      });
    },
    message: (socket, message) => {
      const data = socket.getUserData();
      // The bytes are only ours during the call; whatever a handler keeps of them it has decoded.
      guard(data, () => data.handler?.message(new Uint8Array(message)));
    },
    drain: (socket) => {
      const data = socket.getUserData();
      guard(data, () => data.handler?.drained());
    },
    close: (socket) => {
      const data = socket.getUserData();
      data.connection?.forget();
      guard(data, () => data.handler?.closed());
    },
  });
  app.any('/*', (response) => {
    response.writeStatus('404 Not Found').end(`WebSockets are served on ${path}\n`);
  });
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        app.listen(options.host, options.port, (socket) => {
          if (!socket) {
            reject(new GatewayError('internal', `cannot listen on ${options.host}:${options.port}`));
            return;
          }
          listening = socket;
          resolve(uws.us_socket_local_port(socket));
        });
      }),
    close: () => {
      if (listening) uws.us_listen_socket_close(listening);
      listening = undefined;
    },
  };
};

/** Everything is read from the request before anything else happens: uWS frees it when the handler returns. */
const upgrade = (
  response: HttpResponse,
  request: HttpRequest,
  context: us_socket_context_t,
  { refusal, isTokenInQueryAllowed }: WebSocketServerOptions,
): void => {
  const offered = request.getHeader('sec-websocket-protocol');
  const key = request.getHeader('sec-websocket-key');
  const extensions = request.getHeader('sec-websocket-extensions');
  const authorization = request.getHeader('authorization');
  const queryToken = isTokenInQueryAllowed ? request.getQuery('token') : undefined;
  const refused = refusal();
  if (refused !== undefined) {
    response.writeStatus('503 Service Unavailable').writeHeader('retry-after', '1').end(`${refused}\n`);
    return;
  }
  const encoding = chooseEncoding(offered);
  if (!encoding) {
    response
      .writeStatus('400 Bad Request')
      .end(`offer one of the subprotocols ${Object.values(SUBPROTOCOLS).join(', ')}\n`);
    return;
  }
  const bearer = /^Bearer (\S+)$/i.exec(authorization)?.[1];
  const token = bearer ?? (queryToken === '' ? undefined : queryToken);
  const remoteAddress = Buffer.from(response.getRemoteAddressAsText()).toString();
  const data: SocketData = { encoding, upgrade: { token, remoteAddress }, handler: undefined, connection: undefined };
  response.upgrade(data, key, SUBPROTOCOLS[encoding], extensions, context);
};

const idleSeconds = (timeoutMs: number): number =>
  Math.min(MAX_IDLE_SECONDS, Math.max(MIN_IDLE_SECONDS, Math.ceil(timeoutMs / 1_000)) + IDLE_TICK_SECONDS);

const chooseEncoding = (offered: string): Encoding | undefined => {
  const names = offered.split(',').map((name) => name.trim());
  return (['msgpack', 'json'] as const).find((encoding) => names.includes(SUBPROTOCOLS[encoding]));
};

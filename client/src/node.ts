// The public door in Node: index.ts over the `ws` package. Node 20 has no global WebSocket, and with `ws` every Node
// behaves alike. The only file of the package that browsers must not load.
import { WebSocket } from 'ws';
import { connectBy, createClientOver, type Connect, type CreateClient } from './door.ts';
import { createWebSocketTransport } from './transports/websocket.ts';

export * from './public.ts';

/** `closeTimeout`: how long a close may wait for the peer, which may be gone, before the socket is freed. */
const SOCKET_OPTIONS = { perMessageDeflate: false, closeTimeout: 1_000 };

class NodeWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, SOCKET_OPTIONS);
  }
}

const nodeTransport = () => createWebSocketTransport(NodeWebSocket);

export const createClient: CreateClient = createClientOver(nodeTransport);
export const connect: Connect = connectBy(createClient);

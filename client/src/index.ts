// The public door in browsers and everywhere else with a global WebSocket. Node has its own: node.ts.
import { connectBy, createClientOver, type Connect, type CreateClient } from './door.ts';
import { createWebSocketTransport, type WebSocketConstructor } from './transports/websocket.ts';

export * from './public.ts';

// Looked up when a client is made: a page may bring its own.
const platformTransport = () =>
  createWebSocketTransport((globalThis as unknown as { WebSocket: WebSocketConstructor }).WebSocket);

export const createClient: CreateClient = createClientOver(platformTransport);
export const connect: Connect = connectBy(createClient);

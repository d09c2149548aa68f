// What both doors export, apart from the two functions that need a transport.
export type { EncodedPosition, FirstEvents } from '@sluice/schemas';
export type { CallOptions, ChannelPresence } from './calls.ts';
export type { Acknowledgement, CommandRule, SendOptions } from './commands.ts';
export type { CallTypes, Client, ClientEventName, ClientEvents, ClientEventValue, CommandTypes } from './contract.ts';
export type { Clock } from './clock.ts';
export { CLIENT_ERRORS, ClientError, type ClientErrorCode } from './errors.ts';
export type {
  AnyEvent,
  ChannelEvent,
  EphemeralEvent,
  EventTypes,
  Listener,
  ResetNotice,
  StoredEvent,
  SubscriptionLifecycle,
} from './events.ts';
export type { ClientOptions } from './options.ts';
export { createMemoryPositions, type PositionStore } from './positions.ts';
export type { ConnectionState } from './state.ts';
export type { SubscribeOptions, Subscription } from './subscription.ts';
export type { DeliveryCounts } from './subscriptions.ts';
export type { Transport, TransportHandlers, TransportLink, TransportRequest } from './transports/transport.ts';
export { createWebSocketTransport, type WebSocketConstructor, type WebSocketLike } from './transports/websocket.ts';

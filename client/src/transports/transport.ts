// What the client needs from a connection that carries messages. Knows nothing of frames.

export interface TransportRequest {
  readonly url: string;
  readonly subprotocol: string;
}

/** `closed` is called exactly once, also where the connection never opened; nothing is called after it. */
export interface TransportHandlers {
  opened(): void;
  message(message: Uint8Array | string): void;
  /** The code of the WebSocket close, 1006 where the connection broke or could not be made. */
  closed(code: number, reason: string): void;
}

export interface TransportLink {
  send(message: Uint8Array | string): void;
  /** Ends the connection without waiting for the peer: it may be gone. */
  close(code: number): void;
  /** Bytes handed to `send` that have not left yet. */
  readonly bufferedBytes: number;
}

/** Never throws (what cannot be opened is `closed`), and calls no handler before it has returned. */
export type Transport = (request: TransportRequest, handlers: TransportHandlers) => TransportLink;

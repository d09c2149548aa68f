// What a session needs of a connection, whatever carries it; and what a connection tells its session.
import type { Encoding } from '@sluice/schemas';

/** One client's connection. After it has closed, every call is ignored. */
export interface Connection {
  readonly encoding: Encoding;
  /** Sends one message of whole frames. False if the socket did not take all of it: bytes are buffered. */
  send(bytes: Uint8Array): boolean;
  bufferedBytes(): number;
  /** Sends what is buffered, then closes; peers that leave too much of it unread between them are cut off without the code. */
  close(code: number, reason: string): void;
}

/** What a transport calls; none of them throws. */
export interface ConnectionHandler {
  message(bytes: Uint8Array): void;
  drained(): void;
  closed(): void;
}

/** What the upgrade request says, copied before the request dies. */
export interface Upgrade {
  /** From the Authorization header, or from the query where that is allowed. */
  readonly token: string | undefined;
  readonly remoteAddress: string;
}

export type Accept = (connection: Connection, upgrade: Upgrade) => ConnectionHandler;

// The handshake. hello must be the first frame; subscribes may follow it in the same WebSocket message, the gateway
// holds them until the token is verified. `auth` brings a fresh token for the same sub over the open connection.
import { Type } from 'typebox';
import { RequestId, Text, Token } from './fields.ts';
import { defineFrame, type FrameOf } from './frame.ts';

export const hello = defineFrame('hello', 1, {
  version: Type.Integer(),
  /** Absent where the Authorization header of the upgrade carried it. */
  token: Type.Optional(Token),
  /** Name and version of the client, for logs. */
  agent: Type.Optional(Type.String({ maxLength: 128 })),
  /** Subscribe to the channels that the catalogue joins this role to, those that follow in this message excepted. */
  isJoining: Type.Optional(Type.Boolean()),
});
export type Hello = FrameOf<typeof hello>;

export const auth = defineFrame('auth', 4, { id: RequestId, token: Token });
export type Auth = FrameOf<typeof auth>;

export const welcome = defineFrame('welcome', 1, {
  version: Type.Integer(),
  connectionId: Text,
  /** The gateway sends a ping at least this often; silence of twice as long means a dead link. */
  pingIntervalMs: Type.Integer(),
  /** The verified sub of the token. */
  subject: Text,
  limits: Type.Object({ maxFrameBytes: Type.Integer(), maxSubscriptions: Type.Integer() }),
  /** Milliseconds until the token expires; absent if it does not. */
  expiresInMs: Type.Optional(Type.Integer()),
});
export type Welcome = FrameOf<typeof welcome>;

export const tokenExpiring = defineFrame('token_expiring', 9, { inMs: Type.Integer() });
export type TokenExpiring = FrameOf<typeof tokenExpiring>;

// Everything a client may send.
import { call, command, type Call, type Command } from './frames/command.ts';
import { pong, type Pong } from './frames/control.ts';
import { auth, hello, type Auth, type Hello } from './frames/hello.ts';
import { presenceQuery, type PresenceQuery } from './frames/presence.ts';
import { subscribe, unsubscribe, type Subscribe, type Unsubscribe } from './frames/subscribe.ts';

export const UP_FRAMES = [hello, subscribe, unsubscribe, auth, pong, command, call, presenceQuery] as const;

export type UpFrame = Hello | Subscribe | Unsubscribe | Auth | Pong | Command | Call | PresenceQuery;

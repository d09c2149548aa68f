// Everything a client may send.
import { pong, type Pong } from './frames/control.ts';
import { auth, hello, type Auth, type Hello } from './frames/hello.ts';
import { subscribe, unsubscribe, type Subscribe, type Unsubscribe } from './frames/subscribe.ts';

export const UP_FRAMES = [hello, subscribe, unsubscribe, auth, pong] as const;

export type UpFrame = Hello | Subscribe | Unsubscribe | Auth | Pong;

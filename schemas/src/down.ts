// Everything a gateway may send.
import { drain, error, okReply, ping, type Drain, type ErrorFrame, type OkReply, type Ping } from './frames/control.ts';
import { event, type Event } from './frames/event.ts';
import { tokenExpiring, welcome, type TokenExpiring, type Welcome } from './frames/hello.ts';
import {
  live,
  reset,
  subscribed,
  unsubscribed,
  type Live,
  type Reset,
  type Subscribed,
  type Unsubscribed,
} from './frames/subscribe.ts';

export const DOWN_FRAMES = [
  welcome,
  subscribed,
  event,
  live,
  reset,
  okReply,
  error,
  unsubscribed,
  tokenExpiring,
  drain,
  ping,
] as const;

export type DownFrame =
  | Welcome
  | Subscribed
  | Event
  | Live
  | Reset
  | OkReply
  | ErrorFrame
  | Unsubscribed
  | TokenExpiring
  | Drain
  | Ping;

// Everything a gateway may send.
import { result, type CallResult } from './frames/command.ts';
import { drain, error, okReply, ping, type Drain, type ErrorFrame, type OkReply, type Ping } from './frames/control.ts';
import { ephemeral, event, type Ephemeral, type Event } from './frames/event.ts';
import { tokenExpiring, welcome, type TokenExpiring, type Welcome } from './frames/hello.ts';
import { presence, type Presence } from './frames/presence.ts';
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
  ephemeral,
  result,
  presence,
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
  | Ping
  | Ephemeral
  | CallResult
  | Presence;

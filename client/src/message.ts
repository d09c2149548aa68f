// Frames to WebSocket messages: binary for msgpack, text for JSON.
import type { Encoding } from '@sluice/schemas';

const text = new TextDecoder();

export const joinFrames = (frames: readonly Uint8Array[]): Uint8Array => {
  const [only] = frames;
  if (only && frames.length === 1) return only;
  const joined = new Uint8Array(frames.reduce((bytes, frame) => bytes + frame.length, 0));
  let offset = 0;
  for (const frame of frames) {
    joined.set(frame, offset);
    offset += frame.length;
  }
  return joined;
};

export const toMessage = (frames: readonly Uint8Array[], encoding: Encoding): Uint8Array | string =>
  encoding === 'msgpack' ? joinFrames(frames) : text.decode(joinFrames(frames));

// Where positions outlive a subscription: an interface for applications, and the memory that is the default.
import type { EncodedPosition } from '@sluice/schemas';

/**
 * Keeps one position per channel. Called often (about once a second and busy channel), synchronously; a slower store loads
 * its content before the client is created. Clear it when the user signs out. In a browser:
 *
 *     const positions: PositionStore = {
 *       load: (channel) => localStorage.getItem(`position ${channel}`),
 *       save: (channel, position) => localStorage.setItem(`position ${channel}`, position),
 *       delete: (channel) => localStorage.removeItem(`position ${channel}`),
 *     };
 */
export interface PositionStore {
  load(channel: string): EncodedPosition | null | undefined;
  save(channel: string, position: EncodedPosition): void;
  delete(channel: string): void;
}

/** As many channels as a client can subscribe to by default. */
const MAX_CHANNELS = 1_000;

/** Bounded: the channel that was saved longest ago is forgotten first, and starts afresh if it is subscribed again. */
export const createMemoryPositions = (maxChannels: number = MAX_CHANNELS): PositionStore => {
  const positions = new Map<string, EncodedPosition>();
  return {
    load: (channel) => positions.get(channel),
    save: (channel, position) => {
      positions.delete(channel);
      positions.set(channel, position);
      if (positions.size > maxChannels) positions.delete(positions.keys().next().value!);
    },
    delete: (channel) => void positions.delete(channel),
  };
};

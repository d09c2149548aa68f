// The vocabulary of apps already in the field, compiled from a catalogue: names, shapes, requests, rooms, both ways.
// Data and functions; what carries them to a socket is somebody else's.
import type { Catalogue } from './compiled.ts';
import { compileLegacyEvents, type LegacyEvents } from './legacy-events.ts';
import { compileLegacyRequests, type LegacyRequests } from './legacy-requests.ts';
import { compileLegacyRooms, type LegacyRooms } from './legacy-rooms.ts';

export type { CanonicalEvent, LegacyEvents, OldEvent } from './legacy-events.ts';
export {
  firstOfSync,
  oldReply,
  oldSyncResponse,
  type CanonicalRequest,
  type LegacyRequests,
  type OldReply,
  type OldRequest,
} from './legacy-requests.ts';
export type { LegacyRooms } from './legacy-rooms.ts';

export interface Legacy {
  readonly events: LegacyEvents;
  readonly requests: LegacyRequests;
  readonly rooms: LegacyRooms;
}

export const compileLegacy = (catalogue: Pick<Catalogue, 'families' | 'channels' | 'commands'>): Legacy => {
  const rooms = compileLegacyRooms(catalogue);
  return { events: compileLegacyEvents(catalogue), requests: compileLegacyRequests(catalogue, rooms), rooms };
};

// Makes what has been told of a user agree with the entries. Any pod may do it at any moment, several at once too: each
// transition is published on the condition that nobody did since it was looked up, so that it is published once.
import { GatewayError } from '../errors.ts';
import type { PresenceStore } from './store.ts';

type Settled = 'told' | 'nothing_to_tell';

/** Each further try means that somebody else wrote in between; so many in a row mean that what we read is not current. */
const MAX_TRIES = 8;

/** The user has an entry of a live pod. */
export const settleOnline = async (store: PresenceStore, user: string): Promise<Settled> => {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { online, offline } = await store.readTold(user);
    if (online > offline) return 'nothing_to_tell';
    if (await store.tell(user, 'online', online)) return 'told';
  }
  throw staleError(user);
};

/**
 * After an entry was removed. Whoever writes an entry between the look at them and the event sees the event go by, and
 * contradicts it: see `Presence.sawOffline`.
 */
export const settleOffline = async (
  store: PresenceStore,
  isAlive: (pod: string) => boolean | Promise<boolean>,
  user: string,
): Promise<Settled> => {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    for (const pod of await store.podsOf(user)) if (await isAlive(pod)) return 'nothing_to_tell';
    const { online, offline } = await store.readTold(user);
    if (online <= offline) return 'nothing_to_tell';
    if (await store.tell(user, 'offline', offline)) return 'told';
  }
  throw staleError(user);
};

const staleError = (user: string): GatewayError =>
  new GatewayError('nats_bad_answer', `what is read of the presence of ${user} is not current`);

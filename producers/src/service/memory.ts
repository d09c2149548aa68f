// What a service has folded, as bytes and back: its state, its history and how far it had read. Of another version of
// the service, of other streams, or not whole: none at all.
import { deserialize, serialize } from 'node:v8';
import type { AnyService } from './definition.ts';
import type { HistoryCopy } from './history.ts';
import type { ServiceLog, StreamPlace } from './log.ts';
import type { Snapshots } from './snapshots.ts';

interface Kept {
  readonly version: string;
  readonly places: ReadonlyMap<string, StreamPlace>;
  readonly state: unknown;
  readonly history: HistoryCopy;
}

const FORMAT = 1;

const versionOf = ({ name, reads, guards, snapshotVersion }: AnyService): string =>
  JSON.stringify([FORMAT, name, snapshotVersion, reads, guards ?? {}]);

/** State and places, once history and log are set to go on from there; undefined: from the start. */
export const recall = async (
  service: AnyService,
  log: ServiceLog,
  snapshots: Snapshots,
): Promise<{ state: unknown; places: ReadonlyMap<string, StreamPlace> } | undefined> => {
  if (service.snapshotVersion === undefined) return undefined;
  const bytes = await snapshots.load(service.name);
  if (!bytes) return undefined;
  try {
    const { version, places, state, history } = deserialize(bytes) as Kept;
    if (version !== versionOf(service) || !(await log.areAt(places))) return undefined;
    log.history.restore(history);
    return { state, places };
  } catch {
    return undefined; // of another runtime, or a server that does not answer
  }
};

/** Keeps what is folded at this moment. */
export const remember = async (
  service: AnyService,
  log: ServiceLog,
  stateOf: () => unknown,
  snapshots: Snapshots,
): Promise<void> => {
  const placesNow = await log.identify();
  // From here to the bytes nothing else runs: state, history and places are of one moment.
  const kept: Kept = { version: versionOf(service), places: placesNow(), state: stateOf(), history: log.history.copy };
  await snapshots.save(service.name, serialize(kept));
};

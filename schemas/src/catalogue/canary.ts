// A pod's own heartbeat through the log: an event that it publishes and must get back by the way that every event takes.
import { Type } from 'typebox';
import { channel, family, filter, moment, param, type CatalogueDefinition } from './define.ts';

/** Role that no token should carry; only the pod itself listens to its canary. */
export const CANARY_ROLE = 'sluice_pod';
const MAX_AGE_MS = 60_000;

/** The catalogue with the canary's family (`sluice.{podId}.canary`) and channel (`sluice:{podId}`), kept in a stream of its own. */
export const withCanary = (definition: CatalogueDefinition, streamName: string): CatalogueDefinition => {
  const canary = family({
    name: 'sluice',
    subject: 'sluice.{podId}',
    stream: { name: streamName, maxAgeMs: MAX_AGE_MS },
    types: { canary: moment(Type.Object({ at: Type.Number() })) },
  });
  const own = channel({
    name: 'sluice:{podId}',
    first: 'none',
    access: [{ roles: [CANARY_ROLE], filters: [filter(canary, { podId: param('podId') })] }],
  });
  return {
    ...definition,
    families: [...definition.families, canary],
    channels: [...definition.channels, own],
  };
};

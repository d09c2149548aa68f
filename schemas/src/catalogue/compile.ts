// Checks a catalogue and derives what programs look up at run time. All faults at once.
import { fail, ok, type Result } from '../result.ts';
import { compileChannels } from './compile-channels.ts';
import { compileCalls, compileCommands } from './compile-commands.ts';
import { compileFamilies, compileStreams } from './compile-families.ts';
import { checkAliases, checkRooms } from './compile-names.ts';
import type { Catalogue } from './compiled.ts';
import type { CatalogueDefinition } from './define.ts';
import { compilePresence } from './presence.ts';

export * from './compiled.ts';

/** The compiled catalogue, or every fault in it as a line of text. */
export const compileCatalogue = (definition: CatalogueDefinition): Result<Catalogue, readonly string[]> => {
  const faults: string[] = [];
  const { role, actorClaims = [] } = definition;
  const families = compileFamilies(definition.families, faults);
  const guards = new Map(definition.families.flatMap(({ name, guard }) => (guard ? [[name, guard]] : [])));
  const channels = compileChannels(definition.channels, families, guards, faults);
  const streams = compileStreams(definition.families, faults);
  const commands = compileCommands(definition.commands ?? [], families, channels, faults);
  const calls = compileCalls(definition.calls ?? [], faults);
  const presence = compilePresence(definition.presence, families, faults);
  checkAliases(families, commands, faults);
  checkRooms(channels, faults);
  for (const claim of ['sub', 'role'])
    if (actorClaims.includes(claim)) faults.push(`actorClaims: services always learn of "${claim}"`);
  if (faults.length > 0) return fail(faults);
  return ok({ families, channels, streams, commands, calls, actorClaims, ...(presence && { presence }), role });
};

/** Throws with all faults in the message: for catalogues that are part of a program. */
export const mustCompileCatalogue = (definition: CatalogueDefinition): Catalogue => {
  const compiled = compileCatalogue(definition);
  if (!compiled.ok) throw new Error(`The catalogue contradicts itself:\n- ${compiled.error.join('\n- ')}`);
  return compiled.value;
};

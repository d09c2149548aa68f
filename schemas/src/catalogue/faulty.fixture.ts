// A small catalogue without fault, and ways to spoil one part of it: what the tests of the compiler share.
import { Type } from 'typebox';
import { compileCatalogue } from './compile.ts';
import {
  catalogue,
  channel,
  claim,
  ephemeral,
  family,
  filter,
  moment,
  param,
  state,
  type CallDefinition,
  type CatalogueDefinition,
  type ChannelDefinition,
  type CommandDefinition,
  type FamilyDefinition,
  type FilterDefinition,
} from './define.ts';

export const STREAM = { name: 'A', maxAgeMs: 1_000 };
export const Any = Type.Object({});

export const a = family({
  name: 'a',
  subject: 'a.{x}.{y}',
  stream: STREAM,
  types: { made: state(Any), seen: moment(Any), humming: ephemeral(Type.Object({ by: Type.String() })) },
});

export const open = channel({
  name: 'one:{x}',
  first: 'none',
  access: [{ roles: 'any', filters: [filter(a, { x: param('x'), y: claim('sub') })] }],
});

export const hum: CommandDefinition = {
  name: 'a.hum',
  roles: 'any',
  offline: 'never_queued',
  schema: Type.Object({ x: Type.String() }),
  effect: {
    type: 'a.humming',
    channel: 'one:{x}',
    keys: { x: { field: 'x' }, y: { claim: 'sub' } },
    data: { by: { claim: 'sub' } },
    atEnd: { by: 'nobody' },
  },
};

export const ask: CallDefinition = { name: 'a.ask', roles: 'any', timeoutMs: 1_000, request: Any, answer: Any };

export const define = (
  families: readonly FamilyDefinition[] = [a],
  channels: readonly ChannelDefinition[] = [open],
  more: Partial<CatalogueDefinition> = {},
): CatalogueDefinition => catalogue({ families, channels, role: { claim: 'role', fallback: 'user' }, ...more });

export const faultsOf = (definition: CatalogueDefinition): readonly string[] => {
  const compiled = compileCatalogue(definition);
  return compiled.ok ? [] : compiled.error;
};

/** With a second family. */
export const withFamily = (changes: Partial<FamilyDefinition>): CatalogueDefinition =>
  define([a, { name: 'b', subject: 'b.{x}', stream: STREAM, types: { made: state(Any) }, ...changes }]);

export const withChannel = (changes: Partial<ChannelDefinition>): CatalogueDefinition =>
  define([a], [{ ...open, ...changes }]);

/** With other filters for everybody. */
export const withFilters = (...filters: readonly FilterDefinition[]): CatalogueDefinition =>
  withChannel({ access: [{ roles: 'any', filters }] });

export const withCommand = (changes: Partial<CommandDefinition>): CatalogueDefinition =>
  define([a], [open], { commands: [{ ...hum, ...changes }] });

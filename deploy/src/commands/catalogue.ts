// `sluice catalogue check|list`: is a catalogue sound, and what is in it?

import { parseArgs } from 'node:util';
import type { Catalogue } from '@sluice/schemas';
import { DEFAULT_CATALOGUE, faultsText, loadCatalogue, loadSoundCatalogue } from '../catalogue-module.ts';
import { DeployError } from '../errors.ts';

const HELP = `Usage: npx sluice catalogue check [module]   names every fault of a catalogue; exit code 1 if there is one
       npx sluice catalogue list [module]    what is in it: events, channels, commands, calls, streams

The module is a path that exports \`catalogue\`, or one that is shipped (rez, orders). Default: SLUICE_CATALOGUE, else rez.`;

export interface CatalogueContext {
  readonly env: NodeJS.ProcessEnv;
  readonly print: (text: string) => void;
}

const processContext: CatalogueContext = { env: process.env, print: (text) => console.log(text) };

export async function runCatalogue(
  args: readonly string[],
  context: CatalogueContext = processContext,
): Promise<number> {
  const { action, from } = parseCatalogueArguments(args, context.env);
  if (action === 'help') {
    context.print(HELP);
    return 0;
  }
  if (action === 'list') {
    context.print(listing(await loadSoundCatalogue(from)));
    return 0;
  }
  const compiled = await loadCatalogue(from);
  context.print(compiled.ok ? `${from}: ${summary(compiled.value)}; no fault.` : faultsText(from, compiled.error));
  return compiled.ok ? 0 : 1;
}

/** Throws `bad_arguments`. */
export function parseCatalogueArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly action: 'check' | 'list' | 'help'; readonly from: string } {
  const from = env['SLUICE_CATALOGUE'] || DEFAULT_CATALOGUE;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    const [action = 'help', module = from, ...rest] = positionals;
    if (values.help || action === 'help') return { action: 'help', from };
    if (rest.length > 0) throw new Error(`one module at a time, not also ${rest.join(' ')}`);
    if (action === 'check' || action === 'list') return { action, from: module };
    throw new Error(`there is no action '${action}', only check and list`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DeployError('bad_arguments', `sluice catalogue: ${reason}\n\n${HELP}`, { cause: error });
  }
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

function summary({ families, channels, commands, calls, streams }: Catalogue): string {
  const types = [...families.values()].reduce((sum, family) => sum + family.types.size, 0);
  return [
    counted(types, 'event type'),
    `${counted(families.size, 'family', 'families')} over ${counted(streams.length, 'stream')}`,
    counted(channels.size, 'channel'),
    counted(commands.size, 'command'),
    counted(calls.size, 'call'),
  ].join(', ');
}

function listing({ families, channels, commands, calls, streams }: Catalogue): string {
  const events = [...families.values()].flatMap((family) =>
    [...family.types.values()].map(({ name, kind, aliases }) => [
      name,
      kind,
      kind === 'ephemeral' ? '' : family.stream,
      aliases.map((alias) => alias.name).join(', '),
    ]),
  );
  const parts: [string, string[][]][] = [
    ['Events', events],
    ['Channels', [...channels.values()].map(({ definition }) => [definition.name, whoOf(definition.access)])],
    ['Commands', [...commands.values()].map(({ name, roles, offline }) => [name, offline, rolesText(roles)])],
    ['Calls', [...calls.values()].map(({ name, roles }) => [name, rolesText(roles)])],
    ['Streams', streams.map(({ name, subjects }) => [name, subjects.join(', ')])],
  ];
  return parts
    .filter(([, rows]) => rows.length > 0)
    .map(([title, rows]) => [title, ...columns(rows)].join('\n'))
    .join('\n\n');
}

const rolesText = (roles: readonly string[] | 'any'): string => (roles === 'any' ? 'any' : roles.join(', '));

const whoOf = (access: readonly { readonly roles: readonly string[] | 'any'; readonly isGranted?: true }[]): string =>
  access.map(({ roles, isGranted }) => `${rolesText(roles)}${isGranted ? ' with a grant' : ''}`).join('; ');

function columns(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd());
}

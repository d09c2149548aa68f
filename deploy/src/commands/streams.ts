// `sluice streams apply`: brings the streams of a NATS server to what a catalogue wants. Shows what it will do first,
// deletes nothing, and may be run again and again.

import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { carryOutPlans, planStreams, ProducerError, type PlanOptions, type StreamPlan } from '@sluice/producers';
import { DEFAULT_CATALOGUE, loadSoundCatalogue } from '../catalogue-module.ts';
import { DeployError } from '../errors.ts';
import { natsLogin } from '../nats-login.ts';
import { requireRunningStack } from '../stack/run-file.ts';
import { diffLines } from './stream-diff.ts';

const HELP = `Usage: npx sluice streams apply [--catalogue <module>] [--dry-run | --yes] [--replicas <n>] [--max-bytes <n>]
                                [--shrink]

Creates the streams that a catalogue needs and brings existing ones to it. Shows the differences first, then asks;
running it again does nothing. It never deletes or purges a stream, leaves what the catalogue does not speak of as it
is, and makes no limit narrower without --shrink.

  --catalogue   path of a module that exports \`catalogue\`, or rez or orders (SLUICE_CATALOGUE, else rez)
  --dry-run     only shows; exit code 1 if there is something to do
  --yes         does it without asking
  --replicas    copies of each stream; new ones have 1, existing ones what they have
  --max-bytes   limit of streams whose catalogue names none
  --shrink      also where the server will then delete events or keep fewer copies

NATS is the running local stack's, or SLUICE_NATS_URL with the gateway's SLUICE_NATS_ settings to log in;
SLUICE_COMMAND_STREAM, SLUICE_GRANTS_BUCKET, SLUICE_PRESENCE_BUCKET and SLUICE_CANARY_STREAM name what they name there.`;

export interface StreamsContext {
  readonly env: NodeJS.ProcessEnv;
  readonly print: (text: string) => void;
  readonly findStack: () => Promise<{ readonly natsUrl: string }>;
  /** Undefined where there is nobody to ask. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

const processContext: StreamsContext = {
  env: process.env,
  print: (text) => console.log(text),
  findStack: requireRunningStack,
  confirm: process.stdin.isTTY && process.stdout.isTTY ? askPerson : undefined,
};

export interface StreamsArguments {
  readonly catalogue: string;
  readonly mode: 'ask' | 'dry-run' | 'yes';
  readonly options: PlanOptions;
  readonly canaryStream?: string;
}

export async function runStreams(args: readonly string[], context: StreamsContext = processContext): Promise<number> {
  const parsed = parseStreamsArguments(args, context.env);
  if (parsed === 'help') {
    context.print(HELP);
    return 0;
  }
  const catalogue = await loadSoundCatalogue(parsed.catalogue, parsed.canaryStream);
  const servers = serversOf(context.env['SLUICE_NATS_URL']) ?? (await context.findStack()).natsUrl;
  const connection = await connect({
    servers,
    name: 'sluice streams apply',
    ...(await natsLogin(context.env)),
  }).catch((error: unknown) => {
    throw new DeployError('nats_server_unavailable', `No connection to NATS at ${String(servers)}: ${String(error)}`, {
      cause: error,
    });
  });
  try {
    const manager = await jetstreamManager(connection);
    const plans = await planStreams(manager, catalogue, parsed.options);
    for (const line of diffLines(plans, parsed.options.mayShrink === true)) context.print(line);
    const verdict = await decide(plans, parsed.mode, context);
    if (verdict !== 'go') return verdict;
    return report(await carryOutPlans(manager, catalogue, plans, parsed.options), context);
  } catch (error) {
    if (error instanceof ProducerError) throw new DeployError('streams_refused', error.message, { cause: error });
    throw error;
  } finally {
    await connection.close();
  }
}

async function decide(
  plans: readonly StreamPlan[],
  mode: StreamsArguments['mode'],
  { print, confirm }: StreamsContext,
): Promise<number | 'go'> {
  if (plans.some(({ kind }) => kind === 'impossible')) {
    print('Nothing was done: what is marked with ! takes an operator, who knows whether its events may go.');
    return 1;
  }
  const due = plans.filter(({ kind }) => kind !== 'equal').length;
  if (due === 0) {
    print('Nothing to do.');
    return 0;
  }
  if (mode === 'dry-run') return 1;
  if (mode === 'yes') return 'go';
  if (!confirm) {
    print('Nothing was done: there is nobody to ask. Run it with --yes.');
    return 1;
  }
  if (await confirm(`Do this to ${due} ${due === 1 ? 'stream' : 'streams'}? [y/N] `)) return 'go';
  print('Nothing was done.');
  return 1;
}

function report(outcomes: Awaited<ReturnType<typeof carryOutPlans>>, { print }: StreamsContext): number {
  for (const outcome of outcomes) {
    if (outcome.kind === 'refused') print(`${outcome.stream}: refused: ${outcome.reason}`);
    else if (outcome.kind !== 'equal') print(`${outcome.stream}: ${outcome.kind}`);
  }
  return outcomes.some(({ kind }) => kind === 'refused') ? 1 : 0;
}

/** Throws `bad_arguments`. */
export function parseStreamsArguments(args: readonly string[], env: NodeJS.ProcessEnv): StreamsArguments | 'help' {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        catalogue: { type: 'string' },
        'dry-run': { type: 'boolean' },
        yes: { type: 'boolean', short: 'y' },
        replicas: { type: 'string' },
        'max-bytes': { type: 'string' },
        shrink: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    });
    const [action, ...rest] = positionals;
    if (values.help || action === undefined || action === 'help') return 'help';
    if (action !== 'apply' || rest.length > 0)
      throw new Error(`there is no action '${positionals.join(' ')}', only apply`);
    if (values['dry-run'] && values.yes) throw new Error('--dry-run and --yes exclude each other');
    const replicas = count('--replicas', values.replicas, 5);
    const maxBytes = count('--max-bytes', values['max-bytes'], Number.MAX_SAFE_INTEGER);
    const commandStream = env['SLUICE_COMMAND_STREAM'];
    const grantsBucket = env['SLUICE_GRANTS_BUCKET'];
    const presenceBucket = env['SLUICE_PRESENCE_BUCKET'];
    const canaryStream = env['SLUICE_CANARY_STREAM'];
    return {
      catalogue: values.catalogue ?? (env['SLUICE_CATALOGUE'] || DEFAULT_CATALOGUE),
      mode: values['dry-run'] ? 'dry-run' : values.yes ? 'yes' : 'ask',
      ...(canaryStream && { canaryStream }),
      options: {
        ...(replicas !== undefined && { replicas }),
        ...(maxBytes !== undefined && { maxBytes }),
        ...(values.shrink && { mayShrink: true }),
        ...(commandStream && { commandStream }),
        ...(grantsBucket && { grantsBucket }),
        ...(presenceBucket && { presenceBucket }),
      },
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DeployError('bad_arguments', `sluice streams: ${reason}\n\n${HELP}`, { cause: error });
  }
}

function count(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new Error(`${name} must be a whole number from 1 to ${max}, not "${text}"`);
  return value;
}

const serversOf = (text: string | undefined): string[] | undefined => {
  const servers = (text ?? '').split(',').map((server) => server.trim());
  return servers.some((server) => server !== '') ? servers.filter((server) => server !== '') : undefined;
};

async function askPerson(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim());
  } finally {
    lines.close();
  }
}

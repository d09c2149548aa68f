// `sluice nats ...`: the real nats CLI with the local stack's address. Everything else is passed on as it is.

import { spawn } from 'node:child_process';
import { resolveNatsCli } from '../nats-server/resolve.ts';
import { createProgressWriter } from '../progress.ts';
import { requireRunningStack } from '../stack/run-file.ts';

export async function runNats(args: readonly string[]): Promise<number> {
  const server = await serverArguments(args, process.env);
  // Standard output belongs to the CLI: it may go into a pipe.
  const progress = createProgressWriter(process.stderr);
  const cli = await resolveNatsCli({ onProgress: progress.report });
  progress.end();
  return runAttached(cli.path, [...server, ...args]);
}

/** `--server ADDRESS` unless the person has chosen one, or asks for nothing that needs one. */
export async function serverArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  findServer: () => Promise<{ readonly natsUrl: string }> = requireRunningStack,
): Promise<string[]> {
  const isChosen = args.some((arg) => /^(--server|--context)(=|$)/.test(arg) || arg.startsWith('-s'));
  const isAboutItself =
    args.length === 0 || args[0] === 'help' || args.some((arg) => ['--help', '-h', '--version'].includes(arg));
  if (isChosen || isAboutItself) return [];
  return ['--server', env['SLUICE_NATS_URL'] || (await findServer()).natsUrl];
}

/** Runs a program in this terminal; its exit code is ours. */
function runAttached(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    // The terminal gives Ctrl-C to the program as well, which decides what it means; other signals come only here.
    process.on('SIGINT', () => undefined);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

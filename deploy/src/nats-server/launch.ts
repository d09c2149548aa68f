// Runs one nats-server process on loopback. Knows the process, its ports file and its log; not where the binary came
// from, nor what is stored in it.

import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeployError } from '../errors.ts';
import { sharedGuard } from '../guard.ts';

export interface LaunchOptions {
  /** Path of the nats-server executable. */
  readonly binary: string;
  /** JetStream's folder; created if missing, never removed here. */
  readonly storeDir: string;
  /** A fixed client port; a free one when left out, 0 or -1. */
  readonly port?: number;
  readonly configFile?: string;
  readonly extraArgs?: readonly string[];
  /** Where the whole log goes; the newest part of it is kept in memory either way. */
  readonly logFile?: string;
  /** How long the server may take to listen. JetStream recovers its streams first, so a big store needs time. */
  readonly readyTimeoutMs?: number;
  /** In a process group of its own a Ctrl-C in the terminal does not reach the server before its users. */
  readonly detached?: boolean;
}

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NatsServerProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Settles once, when the process is gone, whoever ended it. */
  readonly exited: Promise<ExitReport>;
  /** The newest part of what the server wrote. */
  readonly log: () => string;
  /** Ends the process, also a paused one, and waits until it is gone. May be called again. */
  readonly stop: () => Promise<void>;
}

const LOG_MAX_CHARACTERS = 64 * 1024;
// The ports file appears some milliseconds after the start; a file watcher would need the same fallback.
const PORTS_POLL_MS = 10;
const READY_TIMEOUT_MS = 30_000;
// nats-server's own shutdown takes well below a second; lame-duck mode is never asked for.
const STOP_TIMEOUT_MS = 5_000;

/** Starts a server with JetStream on 127.0.0.1. Throws `nats_server_exited` or `nats_server_not_ready`, with its log. */
export async function launchNatsServer(options: LaunchOptions): Promise<NatsServerProcess> {
  await mkdir(options.storeDir, { recursive: true });
  const portsDir = await mkdtemp(join(tmpdir(), 'sluice-ports-'));
  const child = spawn(options.binary, serverArguments(options, portsDir), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  const log = collectLog(child, options.logFile);
  const exited = exitOf(child);
  const stop = (): Promise<void> => stopProcess(child, exited);
  if (child.pid !== undefined) sharedGuard().watch(child.pid);
  void cleanUpAfter(child, exited, portsDir);

  try {
    const port = await readyPort(options, portsDir, exited, log);
    return { url: `nats://127.0.0.1:${port}`, port, pid: child.pid ?? -1, process: child, exited, log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function cleanUpAfter(child: ChildProcess, exited: Promise<ExitReport>, portsDir: string): Promise<void> {
  await exited;
  if (child.pid !== undefined) sharedGuard().forget(child.pid);
  // Not earlier: the server removes its own file from this folder when it ends.
  await rm(portsDir, { recursive: true, force: true }).catch(() => undefined);
}

function serverArguments(options: LaunchOptions, portsDir: string): string[] {
  const port = options.port === undefined || options.port <= 0 ? -1 : options.port;
  return [
    ...(options.configFile === undefined ? [] : ['-c', options.configFile]),
    '-a',
    '127.0.0.1',
    '-p',
    String(port),
    '-js',
    '-sd',
    options.storeDir,
    '--ports_file_dir',
    portsDir,
    ...(options.extraArgs ?? []),
  ];
}

function collectLog(child: ChildProcess, logFile: string | undefined): () => string {
  const file = logFile === undefined ? undefined : createWriteStream(logFile, { flags: 'a' });
  // A full disk must not end the process that watches the server.
  file?.on('error', () => undefined);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      file?.write(chunk);
      text = (text + chunk).slice(-LOG_MAX_CHARACTERS);
    });
  }
  child.once('close', () => file?.end());
  return () => text;
}

function exitOf(child: ChildProcess): Promise<ExitReport & { readonly cause?: Error }> {
  return new Promise((resolve) => {
    // 'error' comes instead of 'exit' when the binary cannot be started at all.
    child.once('error', (cause) => resolve({ code: null, signal: null, cause }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

async function readyPort(
  options: LaunchOptions,
  portsDir: string,
  exited: Promise<ExitReport & { readonly cause?: Error }>,
  log: () => string,
): Promise<number> {
  const waiting = new AbortController();
  const deadline = AbortSignal.timeout(options.readyTimeoutMs ?? READY_TIMEOUT_MS);
  try {
    const outcome = await Promise.race([exited, pollPorts(portsDir, AbortSignal.any([waiting.signal, deadline]))]);
    if (typeof outcome === 'number') return outcome;
    if (outcome === 'gave up') {
      throw new DeployError('nats_server_not_ready', `${options.binary} did not listen in time.${tailOf(log())}`);
    }
    const how = outcome.cause?.message ?? (outcome.signal === null ? `code ${outcome.code}` : outcome.signal);
    throw new DeployError(
      'nats_server_exited',
      `${options.binary} ended before it listened (${how}).${tailOf(log())}`,
      outcome.cause === undefined ? undefined : { cause: outcome.cause },
    );
  } finally {
    waiting.abort();
  }
}

async function pollPorts(portsDir: string, signal: AbortSignal): Promise<number | 'gave up'> {
  while (!signal.aborted) {
    const port = await readPorts(portsDir);
    if (port !== undefined) return port;
    await new Promise((resolve) => setTimeout(resolve, PORTS_POLL_MS));
  }
  return 'gave up';
}

async function readPorts(portsDir: string): Promise<number | undefined> {
  const [name] = await readdir(portsDir);
  if (name === undefined) return undefined;
  try {
    const { nats }: { nats?: string[] } = JSON.parse(await readFile(join(portsDir, name), 'utf8'));
    const url = nats?.[0];
    return url === undefined ? undefined : Number(new URL(url).port);
  } catch {
    // The server writes the file in place: half of it may be there. The next look finds the rest.
    return undefined;
  }
}

async function stopProcess(child: ChildProcess, exited: Promise<ExitReport>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill('SIGTERM');
  // A paused process would keep the signal pending for ever.
  child.kill('SIGCONT');
  await exited;
  clearTimeout(overdue);
}

function tailOf(log: string): string {
  return log === '' ? '' : `\nIts last lines:\n${log.trimEnd().split('\n').slice(-12).join('\n')}`;
}

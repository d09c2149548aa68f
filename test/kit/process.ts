// A child process under test: bounded log, ready raced against exit, signals by its own pid, never left behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { sharedGuard } from '@sluice/deploy';
import { eventually, within } from './eventually.ts';

const MAX_LOG_LINES = 2000;
const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ, fixed for user space on Linux

export interface ProcessOptions {
  name: string;
  command: string;
  args: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Returns true for the line that says the process serves. */
  isReady: (line: string) => boolean;
  readyTimeoutMs?: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface TestProcess {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  isRunning(): boolean;
  /** The newest lines of stdout and stderr, oldest first, at most 2,000. */
  log(): string[];
  kill(): Promise<Exit>;
  stop(timeoutMs?: number): Promise<Exit>;
  /** Resolves when every thread stands still. */
  pause(): Promise<void>;
  resume(): void;
  /** User and system time since the process started. */
  cpuSeconds(): number;
  memoryBytes(): number;
}

const living = new Set<ChildProcess>();
// A worker that ends with children alive (a failed assertion in a fixture, process.exit) takes them along.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Starts the process and resolves when it is ready; rejects with its log if it exits or stays silent instead. */
export async function startProcess(options: ProcessOptions): Promise<TestProcess> {
  const { name, readyTimeoutMs = 20_000 } = options;
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  living.add(child);
  // A worker that is killed itself (Ctrl-C in a terminal reaches it, too) runs no exit handler.
  if (child.pid !== undefined) sharedGuard().watch(child.pid);
  const lines: string[] = [];
  let onReady = (): void => {};
  const ready = new Promise<void>((resolve) => (onReady = resolve));
  const take = (line: string): void => {
    lines.push(line);
    if (lines.length > MAX_LOG_LINES) lines.splice(0, MAX_LOG_LINES / 4);
    if (options.isReady(line)) onReady();
  };
  for (const stream of [child.stdout, child.stderr]) onLines(stream, take);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      living.delete(child);
      if (child.pid !== undefined) sharedGuard().forget(child.pid);
      resolve({ code, signal });
    });
    child.once('error', (error) => {
      living.delete(child);
      lines.push(String(error));
      resolve({ code: -1, signal: null });
    });
  });
  let hasExited = false;
  void exited.then(() => (hasExited = true));
  const signal = (name: NodeJS.Signals): void => {
    if (!hasExited) child.kill(name);
  };
  const handle: TestProcess = {
    pid: child.pid ?? -1,
    exited,
    isRunning: () => !hasExited,
    log: () => [...lines],
    kill: async () => {
      signal('SIGKILL');
      return await exited;
    },
    stop: async (timeoutMs = 10_000) => {
      signal('SIGCONT');
      signal('SIGTERM');
      try {
        return await within(exited, timeoutMs, `${name} did not stop on SIGTERM`);
      } catch (error) {
        signal('SIGKILL');
        await exited;
        throw error;
      }
    },
    pause: async () => {
      signal('SIGSTOP');
      // A thread that is in the middle of a system call stops a moment later, and may still answer before that.
      await eventually(() => hasExited || areThreadsStopped(handle.pid), { intervalMs: 1, what: `${name} to stop` });
    },
    resume: () => signal('SIGCONT'),
    cpuSeconds: () => cpuSecondsOf(handle.pid),
    memoryBytes: () => residentBytesOf(handle.pid),
  };
  const early = exited.then((exit) => {
    throw new Error(`${name} exited before it was ready (${exit.code ?? exit.signal})`);
  });
  try {
    await within(Promise.race([ready, early]), readyTimeoutMs, `${name} did not become ready`);
  } catch (error) {
    signal('SIGKILL');
    await exited;
    throw new Error(`${(error as Error).message}\n${lines.slice(-60).join('\n')}`, { cause: error });
  } finally {
    early.catch(() => {}); // its verdict no longer matters
  }
  return handle;
}

function onLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) take(part);
  });
}

function areThreadsStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => statFields(`/proc/${pid}/task/${thread}/stat`)[0] === 'T');
}

/** The fields after the command name, which may itself hold spaces and brackets. */
function statFields(path: string): string[] {
  const stat = readFileSync(path, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function cpuSecondsOf(pid: number): number {
  const fields = statFields(`/proc/${pid}/stat`);
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

function residentBytesOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? Number.NaN) * 1024;
}

// One process of the local stack: started from a built file, its output in a log file, stopped by its id.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder } from './folder.ts';

export interface Part {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process is gone, with how it went in words. */
  readonly exited: Promise<string>;
  readonly logFile: string;
  readonly stop: () => Promise<void>;
}

// A gateway drains its sockets before it ends; this is above its own limit.
const STOP_TIMEOUT_MS = 8_000;

export function startPart(name: string, entry: string, args: readonly string[], env: Record<string, string>): Part {
  const logFile = join(folder.logs, `${name}.log`);
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [entry, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
    // A group of its own: a Ctrl-C in the terminal must not end it before those that depend on it.
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `code ${code}` : signal));
  });
  return { name, pid: child.pid ?? -1, exited, logFile, stop: () => stopChild(child, exited) };
}

async function stopChild(child: ChildProcess, exited: Promise<string>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  await exited;
  clearTimeout(overdue);
}

const SHOWN_LINES = 15;

/** The end of a part's log, for the message that says that it has died. */
export function lastLines(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
  } catch {
    return '(no log)';
  }
}

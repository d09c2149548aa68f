// Keeps a small process that ends what this one has started, should this one be killed without a chance to do it.
// A parent that is killed leaves its children running; a pipe's end is what they cannot miss, and nats-server reads none.

import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface Guard {
  readonly pid: number;
  readonly watch: (pid: number) => void;
  readonly forget: (pid: number) => void;
  /** Ends the guard; what it still watches, it ends too. */
  readonly close: () => void;
}

const ENTRY = fileURLToPath(new URL('../bin/guard.mjs', import.meta.url));

let shared: Guard | undefined;

/** The one guard of this process; started with its first use. It ends with this process, or when it is closed. */
export function sharedGuard(): Guard {
  shared ??= startGuard();
  return shared;
}

function startGuard(): Guard {
  const child = spawn(process.execPath, [ENTRY], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  // A pipe is a socket here, and must not keep this process alive either.
  if (child.stdin instanceof Socket) child.stdin.unref();
  // Without a guard the stack still works and still stops on signals.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  return {
    pid: child.pid ?? -1,
    watch: (pid) => void child.stdin.write(`+${pid}\n`),
    forget: (pid) => void child.stdin.write(`-${pid}\n`),
    close: () => {
      shared = undefined;
      child.stdin.end();
    },
  };
}

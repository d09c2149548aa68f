// Keeps a small process that ends the stack's processes should this one be killed without a chance to do it.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Guard {
  readonly pid: number;
  readonly watch: (pid: number) => void;
  readonly forget: (pid: number) => void;
  /** Ends the guard; what it still watches, it ends too. */
  readonly close: () => void;
}

const ENTRY = fileURLToPath(new URL('../../bin/guard.mjs', import.meta.url));

export function startGuard(): Guard {
  const child = spawn(process.execPath, [ENTRY], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  // Without a guard the stack still works and still stops on signals.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  return {
    pid: child.pid ?? -1,
    watch: (pid) => void child.stdin.write(`+${pid}\n`),
    forget: (pid) => void child.stdin.write(`-${pid}\n`),
    close: () => void child.stdin.end(),
  };
}

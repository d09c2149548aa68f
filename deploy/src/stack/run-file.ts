// What runs here and where: written by npm start, read by the sluice command.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { DeployError } from '../errors.ts';
import { folder } from './folder.ts';

export interface RunningStack {
  /** The process that started it and stops it. */
  readonly pid: number;
  readonly natsUrl: string;
  /** Where clients connect: `ws://127.0.0.1:8080/v1/ws`. */
  readonly gatewayUrl: string;
  readonly operationsUrl: string;
  /** A development token, the one npm start shows. */
  readonly token: string;
}

export async function writeRunFile(stack: RunningStack): Promise<void> {
  // The token opens nothing but this machine's loopback; others on it need not read it all the same.
  await writeFile(folder.runFile, `${JSON.stringify(stack, undefined, 2)}\n`, { mode: 0o600 });
}

export async function removeRunFile(): Promise<void> {
  await rm(folder.runFile, { force: true });
}

/** The stack that runs now; undefined where there is none, also when one has crashed and left its file. */
export async function findRunningStack(): Promise<RunningStack | undefined> {
  const text = await readFile(folder.runFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const stack: RunningStack = JSON.parse(text);
  return isAlive(stack.pid) ? stack : undefined;
}

/** The stack that runs now. Throws `not_running`. */
export async function requireRunningStack(): Promise<RunningStack> {
  const stack = await findRunningStack();
  if (stack !== undefined) return stack;
  throw new DeployError('not_running', 'Nothing is running here. Run `npm start` in another terminal first.');
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

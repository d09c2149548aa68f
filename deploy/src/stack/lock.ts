// One stack per checkout: two nats-servers on one store folder would destroy it.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { DeployError } from '../errors.ts';
import { isAlive } from './run-file.ts';

const POLL_MS = 50;

/**
 * Takes the lock; the returned function gives it back. Waits for the guard of an earlier start that was killed: until
 * it is done, that start's nats-server may still be there. Throws `already_running`.
 */
export async function lockCheckout(
  path: string,
  guardPid: number,
  say: (text: string) => void,
): Promise<() => Promise<void>> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      await writeFile(path, `${process.pid} ${guardPid}`, { flag: 'wx' });
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const [owner = 0, guard = 0] = (await readFile(path, 'utf8').catch(() => '')).split(' ').map(Number);
    if (await isProcess(owner, /bootstrap\.mjs|start\.js/)) {
      throw new DeployError(
        'already_running',
        `Sluice runs here already, as process ${owner}: end it first (Ctrl-C in its terminal, or kill ${owner}).`,
      );
    }
    if (await isProcess(guard, /guard\.mjs/)) {
      if (isFirst) say('Waiting for what an earlier start has left to end');
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    } else {
      await rm(path, { force: true });
    }
  }
}

/** Process ids are used again after a reboot; where the system tells, the command line must fit as well. */
async function isProcess(pid: number, commandLine: RegExp): Promise<boolean> {
  if (pid <= 0 || !isAlive(pid)) return false;
  const actual = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return actual === undefined || commandLine.test(actual);
}

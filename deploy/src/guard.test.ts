// Real processes: that a killed parent leaves nothing behind can only be seen with one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sharedGuard } from './guard.ts';
import { isAlive } from './stack/run-file.ts';

const GUARD = fileURLToPath(new URL('../bin/guard.mjs', import.meta.url));

/** Starts a guard and two sleepers, tells their ids and waits to be killed. */
const PARENT = `
  import { spawn } from 'node:child_process';
  const guard = spawn(process.execPath, [${JSON.stringify(GUARD)}], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const sleep = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
  const [watched, dropped] = [sleep(), sleep()];
  guard.stdin.write('+' + watched.pid + '\\n+' + dropped.pid + '\\n-' + dropped.pid + '\\n', () => {
    console.log(JSON.stringify([guard.pid, watched.pid, dropped.pid]));
  });
  setInterval(() => {}, 1000);
`;

test('what a killed parent had started ends, and what it had let go stays', async () => {
  const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line]: unknown[] = await once(parent.stdout, 'data');
  const [guard, watched, dropped]: [number, number, number] = JSON.parse(String(line));
  try {
    // A paused process must not be able to stay either.
    process.kill(watched, 'SIGSTOP');

    parent.kill('SIGKILL');

    await expect.poll(() => isRunning(watched), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => isRunning(guard), { timeout: 10_000 }).toBe(false);
    expect(await isRunning(dropped)).toBe(true);
  } finally {
    process.kill(dropped, 'SIGKILL');
  }
});

test('a guard that is closed with nothing to watch just ends', async () => {
  const guard = sharedGuard();
  guard.watch(2 ** 22 + 1);
  guard.forget(2 ** 22 + 1);

  guard.close();

  await expect.poll(() => isRunning(guard.pid), { timeout: 10_000 }).toBe(false);
});

/** An orphan may stay in the process table until init collects it; it runs no more then. */
async function isRunning(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return !/\) [ZX] /.test(stat);
}

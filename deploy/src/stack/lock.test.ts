import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockCheckout } from './lock.ts';

const GUARD = 4_194_305; // above any process id of Linux
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
  path = join(folder, 'start.pid');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const silent = (): void => undefined;

/** A process that looks like a start or a guard, because its command line says so. */
async function pretend(name: string): Promise<{ pid: number; end: () => Promise<unknown> }> {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)', name]);
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  return { pid: child.pid ?? -1, end: () => (child.kill('SIGKILL'), exited) };
}

test('a second start in the same checkout is refused while the first one runs', async () => {
  const first = await pretend('start.js');
  await writeFile(path, `${first.pid} ${GUARD}`);
  try {
    await expect(lockCheckout(path, GUARD, silent)).rejects.toMatchObject({ code: 'already_running' });
  } finally {
    await first.end();
  }
});

test('a lock whose owner is gone is taken over, and given back', async () => {
  await writeFile(path, `${GUARD} ${GUARD}`);

  const unlock = await lockCheckout(path, GUARD, silent);

  expect(await readFile(path, 'utf8')).toBe(`${process.pid} ${GUARD}`);
  await unlock();
  await expect(readFile(path)).rejects.toThrow('ENOENT');
});

test('another program that was given the old process id is no owner', async () => {
  const other = await pretend('editor');
  await writeFile(path, `${other.pid} ${other.pid}`);
  try {
    await (
      await lockCheckout(path, GUARD, silent)
    )();
  } finally {
    await other.end();
  }
});

test('a start waits for the guard of a killed one', async () => {
  const guard = await pretend('guard.mjs');
  await writeFile(path, `${GUARD} ${guard.pid}`);
  const said: string[] = [];
  let isGuardGone = false;

  const unlock = await lockCheckout(path, GUARD, (text) => {
    said.push(text);
    void guard.end().then(() => (isGuardGone = true));
  });

  expect(said).toHaveLength(1);
  expect(isGuardGone).toBe(true);
  await unlock();
});

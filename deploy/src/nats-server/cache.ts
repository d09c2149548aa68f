// Where fetched and built programs are kept: <cache>/<program>/<version>/<program>. A program appears there complete or
// not at all, so that several processes may resolve at once.

import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: three levels above this file, in src as in dist. */
export const CHECKOUT: string = fileURLToPath(new URL('../../..', import.meta.url));

export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return resolve(env['SLUICE_CACHE_DIR'] || join(CHECKOUT, '.sluice', 'cache'));
}

export function cachedProgram(cacheDir: string, program: string, version: string): string {
  return join(cacheDir, program, version, program);
}

/** Gives the work a folder on the cache's own file system (a rename must not cross one) and removes it afterwards. */
export async function inScratchFolder<T>(cacheDir: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cacheDir, { recursive: true });
  const folder = await mkdtemp(join(cacheDir, 'partial-'));
  // An interrupted start does not get as far as the finally.
  const removeNow = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeNow);
  try {
    return await work(folder);
  } finally {
    process.off('exit', removeNow);
    await rm(folder, { recursive: true, force: true });
  }
}

export async function moveIntoCache(file: string, cacheDir: string, program: string, version: string): Promise<string> {
  const target = cachedProgram(cacheDir, program, version);
  await mkdir(join(target, '..'), { recursive: true });
  await chmod(file, 0o755);
  await rename(file, target);
  return target;
}

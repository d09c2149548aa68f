// Where the nats-server executables of the tests come from: the project's own resolver, and Debian's 2.9.10 for the
// fallback to single gets.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { resolveNatsServerBinary } from '@sluice/deploy';

const run = promisify(execFile);

/** Two levels above this file: tests run from source. */
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

let resolved: Promise<string> | undefined;

/** The server under test: SLUICE_TEST_NATS_SERVER, else the program that `npm start` would use. */
export async function natsServerBinary(): Promise<string> {
  const given = process.env['SLUICE_TEST_NATS_SERVER'];
  if (given !== undefined && given !== '') return given;
  resolved ??= resolveNatsServerBinary().then((binary) => binary.path);
  return await resolved;
}

/**
 * A server from before batched direct gets: SLUICE_TEST_OLD_NATS, else Debian's package (2.9.10 in Debian 12),
 * unpacked into the cache folder without installing it. Throws with both ways where neither works.
 */
export async function oldNatsServerBinary(): Promise<string> {
  const given = process.env['SLUICE_TEST_OLD_NATS'];
  if (given !== undefined && given !== '') return given;
  const cache = join(process.env['SLUICE_CACHE_DIR'] || join(CHECKOUT, '.sluice', 'cache'), 'nats-server-debian');
  const binary = join(cache, 'usr', 'sbin', 'nats-server');
  if (existsSync(binary)) return binary;
  try {
    await unpackDebianPackage(cache);
  } catch (error) {
    throw new Error(
      'this test needs a nats-server 2.9 or 2.10: set SLUICE_TEST_OLD_NATS to its path, or run where ' +
        `"apt-get download nats-server" works (${String(error)})`,
      { cause: error },
    );
  }
  return binary;
}

async function unpackDebianPackage(cache: string): Promise<void> {
  await mkdir(join(cache, '..'), { recursive: true });
  const work = await mkdtemp(`${cache}-`);
  try {
    await run('apt-get', ['download', 'nats-server'], { cwd: work }).catch(async () => {
      // A fresh machine has no package lists yet.
      await run('apt-get', ['update']);
      await run('apt-get', ['download', 'nats-server'], { cwd: work });
    });
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download brought no package');
    await run('dpkg', ['-x', archive, 'root'], { cwd: work });
    // Two workers may do this at once: whoever is second finds the folder there, with the same content.
    await rename(join(work, 'root'), cache).catch((error: unknown) => {
      if (!existsSync(join(cache, 'usr', 'sbin', 'nats-server'))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

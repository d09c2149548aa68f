// Downloads an official release archive and keeps the program in it, if the archive's sum is the release's.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inScratchFolder, moveIntoCache } from './cache.ts';
import type { Release } from './pins.ts';
import type { Attempt } from './resolve.ts';
import type { Progress, Toolbox } from './toolbox.ts';
import { unpackFile } from './unpack.ts';

export async function fetchRelease(
  tools: Toolbox,
  release: Release,
  cacheDir: string,
  report: (progress: Progress) => void,
): Promise<Attempt<string>> {
  const platform = releasePlatform(tools);
  if (platform === undefined) {
    return { kind: 'skipped', why: `no release archive for ${tools.platform}-${tools.arch}` };
  }
  const address = (tools.env[release.addressSetting] || release.address).replace(/\/$/, '');
  const archive = release.archive(platform);
  report({ kind: 'step', text: `Downloading ${archive} from ${address}` });
  try {
    const sums = (await download(tools, `${address}/SHA256SUMS`)).toString('utf8');
    const expected = sumOf(sums, archive);
    if (expected === undefined) return { kind: 'skipped', why: `${address}/SHA256SUMS does not name ${archive}` };
    const bytes = await download(tools, `${address}/${archive}`, report);
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== expected) {
      return { kind: 'skipped', why: `${archive} has the sum ${actual}, its release says ${expected}: not used` };
    }
    const program = unpackFile(bytes, archive, release.program);
    if (program === undefined) return { kind: 'skipped', why: `${archive} holds no ${release.program}` };
    const path = await inScratchFolder(cacheDir, async (folder) => {
      const file = join(folder, release.program);
      await writeFile(file, program);
      return moveIntoCache(file, cacheDir, release.program, release.version);
    });
    return { kind: 'found', value: path };
  } catch (error) {
    return { kind: 'skipped', why: `${address}: ${reasonOf(error)}` };
  }
}

function releasePlatform({ platform, arch }: Toolbox): string | undefined {
  const architecture = { x64: 'amd64', arm64: 'arm64' }[arch];
  if (architecture === undefined || (platform !== 'linux' && platform !== 'darwin')) return undefined;
  return `${platform}-${architecture}`;
}

async function download(
  tools: Toolbox,
  url: string,
  report: (progress: Progress) => void = () => undefined,
): Promise<Buffer> {
  const response = await tools.fetch(url);
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const length = response.headers.get('content-length');
  const whole = length === null ? '' : ` of ${toMegabytes(Number(length))}`;
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    received += chunk.byteLength;
    report({ kind: 'update', text: `${toMegabytes(received)}${whole} MB` });
  }
  return Buffer.concat(chunks);
}

function toMegabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}

function sumOf(sums: string, archive: string): string | undefined {
  for (const line of sums.split('\n')) {
    const [sum, name] = line.trim().split(/\s+\*?/);
    if (name === archive) return sum?.toLowerCase();
  }
  return undefined;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed" and keeps the reason in its cause.
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

// Copies the server out of the official container image. The image is one static binary, and a process of our own can
// be paused, killed and given a store folder, which a container could only with its engine's help.

import { join } from 'node:path';
import { inScratchFolder, moveIntoCache } from './cache.ts';
import { NATS_SERVER_VERSION, SERVER_IMAGE } from './pins.ts';
import type { Attempt } from './resolve.ts';
import { findOnPath, type Progress, type Toolbox } from './toolbox.ts';

// A client without an engine may wait for a socket that nobody serves.
const ENGINE_ANSWER_TIMEOUT_MS = 5_000;

export async function copyFromImage(
  tools: Toolbox,
  cacheDir: string,
  report: (progress: Progress) => void,
): Promise<Attempt<string>> {
  if (tools.platform !== 'linux') {
    return { kind: 'skipped', why: `the image holds a Linux program, this is ${tools.platform}` };
  }
  const engine = await answeringEngine(tools);
  if (engine === undefined) return { kind: 'skipped', why: 'no container engine (docker, podman) answers' };
  const image = tools.env['SLUICE_NATS_IMAGE'] || SERVER_IMAGE;
  report({ kind: 'step', text: `Copying nats-server out of the container image ${image}` });

  // The program is named because a mirrored image may have lost its entry point.
  const created = await tools.run(engine, ['create', image, '/nats-server']);
  if (created.code !== 0) return { kind: 'skipped', why: `${image}: ${created.output.trim().split('\n').at(-1)}` };
  // A pull reports its progress before the last line, which is the container's id.
  const container = created.output.trim().split('\n').at(-1) ?? '';
  try {
    return await inScratchFolder(cacheDir, async (folder) => {
      const file = join(folder, 'nats-server');
      const copied = await tools.run(engine, ['cp', `${container}:/nats-server`, file]);
      if (copied.code !== 0) return { kind: 'skipped', why: `${image}: ${copied.output.trim()}` };
      return { kind: 'found', value: await moveIntoCache(file, cacheDir, 'nats-server', NATS_SERVER_VERSION) };
    });
  } finally {
    await tools.run(engine, ['rm', container]);
  }
}

async function answeringEngine(tools: Toolbox): Promise<string | undefined> {
  for (const name of ['docker', 'podman']) {
    const engine = await findOnPath(name, tools.env);
    if (engine === undefined) continue;
    // `ps` asks the engine itself; `version` would also succeed where only a client is installed.
    const answer = await tools.run(engine, ['ps', '--quiet'], { timeoutMs: ENGINE_ANSWER_TIMEOUT_MS });
    if (answer.code === 0) return engine;
  }
  return undefined;
}

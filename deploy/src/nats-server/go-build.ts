// Builds the pinned nats-server and nats CLI from the module file in deploy/nats/tools, whose go.sum holds their sums.

import { homedir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, inScratchFolder, moveIntoCache } from './cache.ts';
import { CLI_MODULE, NATS_CLI_VERSION, NATS_SERVER_VERSION, SERVER_MODULE } from './pins.ts';
import type { Attempt } from './resolve.ts';
import { findOnPath, type Progress, type Toolbox } from './toolbox.ts';

const TOOLS_MODULE = join(CHECKOUT, 'deploy', 'nats', 'tools');

export interface BuiltPrograms {
  readonly server: string;
  readonly cli: string;
}

export async function buildWithGo(
  tools: Toolbox,
  cacheDir: string,
  report: (progress: Progress) => void,
): Promise<Attempt<BuiltPrograms>> {
  const go = await findOnPath('go', tools.env);
  if (go === undefined) return { kind: 'skipped', why: 'no go on PATH' };
  report({
    kind: 'step',
    text:
      `Building nats-server ${NATS_SERVER_VERSION} and the nats CLI ${NATS_CLI_VERSION} with Go ` +
      '(once; a minute or two with an empty module cache)',
  });
  return inScratchFolder(cacheDir, async (folder) => {
    // -mod=readonly: nothing that go.sum does not name can get in. Static binaries also run inside images.
    const build = ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', `${folder}/`];
    const { code, output } = await tools.run(go, [...build, SERVER_MODULE, CLI_MODULE], {
      cwd: TOOLS_MODULE,
      env: {
        ...tools.env,
        HOME: tools.env['HOME'] || homedir(),
        CGO_ENABLED: '0',
        // A workspace or flags of the person's own project must not reach into this build.
        GOWORK: 'off',
        GOFLAGS: '',
      },
      onLine: countLines(report),
    });
    if (code !== 0) return { kind: 'skipped', why: `go build failed: ${lastLine(output)}` };
    const server = await moveIntoCache(join(folder, 'nats-server'), cacheDir, 'nats-server', NATS_SERVER_VERSION);
    const cli = await moveIntoCache(join(folder, 'nats'), cacheDir, 'nats', NATS_CLI_VERSION);
    return { kind: 'found', value: { server, cli } };
  });
}

function countLines(report: (progress: Progress) => void): (line: string) => void {
  let modules = 0;
  let compiled = 0;
  return (line) => {
    if (line.startsWith('go: downloading')) modules += 1;
    else compiled += 1;
    report({ kind: 'update', text: `${modules} modules downloaded, ${compiled} packages compiled` });
  };
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1) ?? '';
}

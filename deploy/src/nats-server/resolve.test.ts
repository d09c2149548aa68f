// The order of the ways, and each way against programs that are small scripts and a release server on loopback.

import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tarOf, zipOf } from './archive.fixture.ts';
import { CLI_RELEASE, NATS_SERVER_VERSION, SERVER_RELEASE } from './pins.ts';
import { type ResolveOptions, resolveNatsCli, resolveNatsServer, resolveNatsServerBinary } from './resolve.ts';
import type { Progress } from './toolbox.ts';

let root: string;
let bin: string;
let cache: string;
let releases: Server;
let published: Map<string, Buffer>;
let progress: Progress[];
let env: Record<string, string>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-resolve-'));
  bin = join(root, 'bin');
  cache = join(root, 'cache');
  await mkdir(bin);
  published = new Map();
  progress = [];
  releases = createServer((request, response) => {
    const file = published.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': file.length }).end(file);
  });
  await new Promise<void>((resolve) => releases.listen(0, '127.0.0.1', resolve));
  const bound = releases.address();
  const address = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
  env = {
    PATH: bin,
    SLUICE_CACHE_DIR: cache,
    [SERVER_RELEASE.addressSetting]: address,
    [CLI_RELEASE.addressSetting]: address,
  };
});

afterEach(async () => {
  await new Promise((resolve) => releases.close(resolve));
  await rm(root, { recursive: true, force: true });
});

const options = (more: ResolveOptions = {}): ResolveOptions => ({
  env,
  onProgress: (step) => progress.push(step),
  // The archive's name depends on the machine; the tests should not.
  tools: { platform: 'linux', arch: 'x64' },
  ...more,
});

const steps = (): string[] => progress.filter(({ kind }) => kind === 'step').map(({ text }) => text);

const sayVersion = (name: string, version: string): string => `#!/bin/sh\necho "${name}: v${version}"\n`;

async function install(path: string, script: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

const onPath = (name: string, script: string): Promise<string> => install(join(bin, name), script);

const inCache = (version: string): Promise<string> =>
  install(join(cache, 'nats-server', NATS_SERVER_VERSION, 'nats-server'), sayVersion('nats-server', version));

/** Answers `go build ... -o FOLDER/ ...` with two programs, and keeps its arguments. */
const GO = `#!/bin/sh
PATH=/usr/bin:/bin
echo "$PWD $CGO_ENABLED $*" > "\${0%/*}/go-call"
echo "go: downloading example v1" >&2
for argument in "$@"; do
  case "$argument" in */) folder="$argument" ;; esac
done
printf '#!/bin/sh\\necho "nats-server: v${NATS_SERVER_VERSION}"\\n' > "$folder/nats-server"
printf '#!/bin/sh\\necho "v0.4.0"\\n' > "$folder/nats"
`;

/** An engine whose image holds a server; it logs what it is asked. */
const DOCKER = `#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >> "\${0%/*}/docker-calls"
case "$1" in
  create) echo "pulling $2"; echo container-1 ;;
  cp) printf '#!/bin/sh\\necho "nats-server: v${NATS_SERVER_VERSION}"\\n' > "$3" ;;
esac
`;

function publish(archive: string, bytes: Buffer, sum: string = createHash('sha256').update(bytes).digest('hex')): void {
  published.set(`/${archive}`, bytes);
  published.set('/SHA256SUMS', Buffer.from(`0000  something-else.zip\n${sum}  ${archive}\n`));
}

const serverArchive = (script = sayVersion('nats-server', NATS_SERVER_VERSION)): Buffer =>
  gzipSync(tarOf({ 'release/README.md': 'read me', 'release/nats-server': script }));

const SERVER_ARCHIVE = SERVER_RELEASE.archive('linux-amd64');

describe('the order of the ways to a server', () => {
  test('a server that runs already comes before everything', async () => {
    await onPath('nats-server', sayVersion('nats-server', '2.15.2'));
    env['SLUICE_NATS_URL'] = 'nats://example:4222';

    expect(await resolveNatsServer(options())).toEqual({ source: 'url', url: 'nats://example:4222' });
  });

  test('who needs a program of their own is not given the running server', async () => {
    const path = await onPath('nats-server', sayVersion('nats-server', '2.11.0'));
    env['SLUICE_NATS_URL'] = 'nats://example:4222';

    expect(await resolveNatsServerBinary(options())).toEqual({ source: 'path', path, version: '2.11.0' });
  });

  test('a new enough server on PATH comes before the cache', async () => {
    const path = await onPath('nats-server', sayVersion('nats-server', '2.12.4'));
    await inCache(NATS_SERVER_VERSION);

    expect(await resolveNatsServer(options())).toEqual({ source: 'path', path, version: '2.12.4' });
  });

  test('the cache comes before an old server on PATH and before a build', async () => {
    await onPath('nats-server', sayVersion('nats-server', '2.10.29'));
    await onPath('go', GO);
    const path = await inCache(NATS_SERVER_VERSION);

    expect(await resolveNatsServer(options())).toEqual({ source: 'cache', path, version: NATS_SERVER_VERSION });
    expect(steps()).toEqual([]);
  });

  test('a build with Go comes before the archive, and gives the CLI as well', async () => {
    await onPath('go', GO);
    publish(SERVER_ARCHIVE, serverArchive());

    const server = await resolveNatsServer(options());

    expect(server).toMatchObject({ source: 'go', version: NATS_SERVER_VERSION });
    expect(await resolveNatsCli(options())).toMatchObject({ source: 'cache', version: '0.4.0' });
    const call = await readFile(join(bin, 'go-call'), 'utf8');
    expect(call).toContain('deploy/nats/tools 0 build');
    expect(call).toContain('-mod=readonly');
    expect(progress).toContainEqual({ kind: 'update', text: '1 modules downloaded, 0 packages compiled' });
  });

  test('the archive is used where the build fails', async () => {
    await onPath('go', '#!/bin/sh\necho "go: module lookup disabled" >&2\nexit 1\n');
    publish(SERVER_ARCHIVE, serverArchive());

    expect(await resolveNatsServer(options())).toMatchObject({ source: 'archive', version: NATS_SERVER_VERSION });
    expect(steps()[1]).toBe('  no: go build failed: go: module lookup disabled');
    expect(progress.at(-1)?.text).toMatch(/^0\.0 of 0\.0 MB$/);
    expect(await resolveNatsServer(options())).toMatchObject({ source: 'cache' });
  });

  test('a container image is used where there is no archive', async () => {
    await onPath('docker', DOCKER);
    env['SLUICE_NATS_IMAGE'] = 'mirror.example/nats:1';

    expect(await resolveNatsServer(options())).toMatchObject({ source: 'container', version: NATS_SERVER_VERSION });
    const calls = (await readFile(join(bin, 'docker-calls'), 'utf8')).trim().split('\n');
    expect(calls[1]).toBe('create mirror.example/nats:1 /nats-server');
    expect(calls.at(-1)).toBe('rm container-1');
  });

  test('a client without an engine is no container way', async () => {
    await onPath('docker', '#!/bin/sh\n[ "$1" = version ]\n');

    await expect(resolveNatsServer(options())).rejects.toThrow('no container engine (docker, podman) answers');
  });

  test('an old server on PATH comes last, and its price is said', async () => {
    const path = await onPath('nats-server', sayVersion('nats-server', '2.9.10'));

    expect(await resolveNatsServer(options())).toEqual({ source: 'old-path', path, version: '2.9.10' });
    expect(steps().at(-1)).toContain('one by one');
  });

  test('without any way one error lists all of them with their reasons', async () => {
    await onPath('nats-server', sayVersion('nats-server', '2.8.4'));

    const failure = resolveNatsServer(options());

    await expect(failure).rejects.toMatchObject({ code: 'nats_server_unavailable' });
    const message = await failure.then(
      () => '',
      (error: unknown) => String(error),
    );
    for (const reason of [
      'SLUICE_NATS_URL',
      'is 2.8.4',
      'SLUICE_CACHE_DIR',
      'no go on PATH',
      'answered 404',
      'engine',
    ]) {
      expect(message).toContain(reason);
    }
  });
});

describe('programs that cannot be trusted', () => {
  test('an archive with another sum than its release says is not unpacked', async () => {
    publish(SERVER_ARCHIVE, serverArchive(), createHash('sha256').update('another').digest('hex'));

    await expect(resolveNatsServer(options())).rejects.toThrow('not used');
    await expect(access(join(cache, 'nats-server'))).rejects.toThrow('ENOENT');
  });

  test('an archive that the sums do not name is not fetched', async () => {
    published.set('/SHA256SUMS', Buffer.from('abc  nats-server-v2.15.2-plan9-amd64.tar.gz\n'));

    await expect(resolveNatsServer(options())).rejects.toThrow('does not name');
  });

  test('a damaged archive is a reason, not a crash', async () => {
    publish(SERVER_ARCHIVE, Buffer.from('no gzip at all'));

    await expect(resolveNatsServer(options())).rejects.toMatchObject({ code: 'nats_server_unavailable' });
  });

  test('a cached program that does not run is replaced', async () => {
    await install(join(cache, 'nats-server', NATS_SERVER_VERSION, 'nats-server'), '#!/bin/sh\nexit 126\n');
    publish(SERVER_ARCHIVE, serverArchive());

    expect(await resolveNatsServer(options())).toMatchObject({ source: 'archive' });
    expect(await resolveNatsServer(options())).toMatchObject({ source: 'cache' });
  });

  test('a machine without a release archive says so', async () => {
    await expect(resolveNatsServer(options({ tools: { platform: 'sunos', arch: 'x64' } }))).rejects.toThrow(
      'no release archive for sunos-x64',
    );
  });
});

test('several processes may resolve at once, and leave nothing but the program', async () => {
  publish(SERVER_ARCHIVE, serverArchive());

  const found = await Promise.all([1, 2, 3, 4].map(() => resolveNatsServerBinary(options())));

  expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  expect(await readdir(cache)).toEqual(['nats-server']);
});

describe('the nats CLI', () => {
  test('comes from PATH where it is there', async () => {
    const path = await onPath('nats', sayVersion('nats', '0.3.0'));

    expect(await resolveNatsCli(options())).toEqual({ source: 'path', path, version: '0.3.0' });
  });

  test('comes out of its release, which is a zip', async () => {
    const archive = CLI_RELEASE.archive('linux-amd64');
    publish(archive, zipOf({ 'nats-0.4.0/LICENSE': 'free', 'nats-0.4.0/nats': sayVersion('nats', '0.4.0') }));

    expect(await resolveNatsCli(options())).toMatchObject({ source: 'archive', version: '0.4.0' });
  });

  test('is missed with a code', async () => {
    await expect(resolveNatsCli(options())).rejects.toMatchObject({ code: 'nats_cli_unavailable' });
  });
});

test('the module file that Go builds from names the pinned versions', async () => {
  const moduleFile = await readFile(new URL('../../nats/tools/go.mod', import.meta.url), 'utf8');

  expect(moduleFile).toContain(`github.com/nats-io/nats-server/v2 v${SERVER_RELEASE.version}\n`);
  expect(moduleFile).toContain(`github.com/nats-io/natscli v${CLI_RELEASE.version}\n`);
});

// Which nats-server (and nats CLI) this machine uses: the first of the ways below that works. Knows their order; each
// way is a file of its own. Shared by npm start, the tests and the benchmarks.

import { DeployError } from '../errors.ts';
import { cachedProgram, cacheFolder } from './cache.ts';
import { copyFromImage } from './container.ts';
import { buildWithGo } from './go-build.ts';
import {
  BATCHED_GETS_SINCE,
  CLI_RELEASE,
  NATS_CLI_VERSION,
  NATS_SERVER_VERSION,
  OLDEST_USABLE,
  SERVER_RELEASE,
} from './pins.ts';
import { fetchRelease } from './release-archive.ts';
import { createToolbox, findOnPath, isExecutable, type Progress, type Toolbox } from './toolbox.ts';
import { isAtLeast, parseVersion } from './version.ts';

export interface ResolveOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly onProgress?: (progress: Progress) => void;
  /** Replaces the real programs and downloads, for tests. */
  readonly tools?: Partial<Toolbox>;
}

export interface ResolvedBinary {
  readonly source: 'path' | 'cache' | 'go' | 'archive' | 'container' | 'old-path';
  readonly path: string;
  readonly version: string;
}

export type ResolvedServer = { readonly source: 'url'; readonly url: string } | ResolvedBinary;

/** One way's outcome; `why` ends up in the error that lists all of them. */
export type Attempt<T> =
  | { readonly kind: 'found'; readonly value: T }
  | { readonly kind: 'skipped'; readonly why: string };

interface Search {
  readonly tools: Toolbox;
  readonly cacheDir: string;
  readonly report: (progress: Progress) => void;
}

interface Way {
  readonly name: string;
  readonly source: ResolvedBinary['source'];
  readonly find: (search: Search) => Promise<Attempt<string>>;
  readonly accepts: (version: string) => boolean;
}

const isPinned = (version: string): boolean => version === NATS_SERVER_VERSION;

const SERVER_WAYS: readonly Way[] = [
  {
    name: `a nats-server ${BATCHED_GETS_SINCE} or newer on PATH`,
    source: 'path',
    find: ({ tools }) => onPath(tools, 'nats-server'),
    accepts: (version) => isAtLeast(version, BATCHED_GETS_SINCE),
  },
  {
    name: 'the cache folder (SLUICE_CACHE_DIR)',
    source: 'cache',
    find: ({ cacheDir }) => inCache(cachedProgram(cacheDir, 'nats-server', NATS_SERVER_VERSION)),
    accepts: isPinned,
  },
  {
    name: 'a build with Go',
    source: 'go',
    find: async ({ tools, cacheDir, report }) => {
      const built = await buildWithGo(tools, cacheDir, report);
      return built.kind === 'found' ? { kind: 'found', value: built.value.server } : built;
    },
    accepts: isPinned,
  },
  {
    name: `the release archive (${SERVER_RELEASE.addressSetting})`,
    source: 'archive',
    find: ({ tools, cacheDir, report }) => fetchRelease(tools, SERVER_RELEASE, cacheDir, report),
    accepts: isPinned,
  },
  {
    name: 'the container image (SLUICE_NATS_IMAGE)',
    source: 'container',
    find: ({ tools, cacheDir, report }) => copyFromImage(tools, cacheDir, report),
    accepts: (version) => isAtLeast(version, BATCHED_GETS_SINCE),
  },
  {
    name: `a nats-server ${OLDEST_USABLE} or newer on PATH`,
    source: 'old-path',
    find: ({ tools }) => onPath(tools, 'nats-server'),
    accepts: (version) => isAtLeast(version, OLDEST_USABLE),
  },
];

const CLI_WAYS: readonly Way[] = [
  {
    name: 'a nats CLI on PATH',
    source: 'path',
    find: ({ tools }) => onPath(tools, 'nats'),
    accepts: () => true,
  },
  {
    name: 'the cache folder (SLUICE_CACHE_DIR)',
    source: 'cache',
    find: ({ cacheDir }) => inCache(cachedProgram(cacheDir, 'nats', NATS_CLI_VERSION)),
    accepts: () => true,
  },
  {
    name: 'a build with Go',
    source: 'go',
    find: async ({ tools, cacheDir, report }) => {
      const built = await buildWithGo(tools, cacheDir, report);
      return built.kind === 'found' ? { kind: 'found', value: built.value.cli } : built;
    },
    accepts: () => true,
  },
  {
    name: `the release archive (${CLI_RELEASE.addressSetting})`,
    source: 'archive',
    find: ({ tools, cacheDir, report }) => fetchRelease(tools, CLI_RELEASE, cacheDir, report),
    accepts: () => true,
  },
];

/** The server to use: one that runs already (SLUICE_NATS_URL), else a program. Throws `nats_server_unavailable`. */
export async function resolveNatsServer(options: ResolveOptions = {}): Promise<ResolvedServer> {
  const url = (options.env ?? process.env)['SLUICE_NATS_URL'];
  return url ? { source: 'url', url } : resolveNatsServerBinary(options);
}

/** A program, for those who start, pause and kill servers of their own. Throws `nats_server_unavailable`. */
export async function resolveNatsServerBinary(options: ResolveOptions = {}): Promise<ResolvedBinary> {
  const search = createSearch(options);
  const { found, skipped } = await firstOf(SERVER_WAYS, search);
  if (found === undefined) {
    const ways = ['a running server (SLUICE_NATS_URL): not set', ...skipped];
    throw new DeployError('nats_server_unavailable', `No nats-server can be had here. Tried:\n${bullets(ways)}`);
  }
  if (found.source === 'old-path') {
    search.report({
      kind: 'step',
      text:
        `Using nats-server ${found.version} from PATH: it has no batched direct get (${BATCHED_GETS_SINCE} has), ` +
        'so events older than the tail are read one by one, which is slower',
    });
  }
  return found;
}

/** The real nats CLI. Throws `nats_cli_unavailable`. */
export async function resolveNatsCli(options: ResolveOptions = {}): Promise<ResolvedBinary> {
  const { found, skipped } = await firstOf(CLI_WAYS, createSearch(options));
  if (found !== undefined) return found;
  throw new DeployError('nats_cli_unavailable', `The nats CLI cannot be had here. Tried:\n${bullets(skipped)}`);
}

function createSearch(options: ResolveOptions): Search {
  const env = options.env ?? process.env;
  const tools = { ...createToolbox(env), ...options.tools };
  return { tools, cacheDir: cacheFolder(env), report: options.onProgress ?? (() => undefined) };
}

async function firstOf(ways: readonly Way[], search: Search): Promise<{ found?: ResolvedBinary; skipped: string[] }> {
  const skipped: string[] = [];
  for (const way of ways) {
    let isAnnounced = false;
    const report = (progress: Progress): void => {
      isAnnounced = true;
      search.report(progress);
    };
    const attempt = await tryWay(way, { ...search, report });
    if (attempt.kind === 'found') return { found: attempt.value, skipped };
    // Whoever read that it was begun also wants to know why something else follows.
    if (isAnnounced) search.report({ kind: 'step', text: `  no: ${attempt.why}` });
    skipped.push(`${way.name}: ${attempt.why}`);
  }
  return { skipped };
}

async function tryWay(way: Way, search: Search): Promise<Attempt<ResolvedBinary>> {
  const attempt = await way.find(search);
  if (attempt.kind === 'skipped') return attempt;
  const path = attempt.value;
  // Running it once also finds a program of another machine's architecture, or a damaged one.
  const { code, output } = await search.tools.run(path, ['--version']);
  const version = parseVersion(output);
  if (code !== 0 || version === undefined) return { kind: 'skipped', why: `${path} does not run: ${output.trim()}` };
  if (!way.accepts(version)) return { kind: 'skipped', why: `${path} is ${version}` };
  return { kind: 'found', value: { source: way.source, path, version } };
}

async function onPath(tools: Toolbox, program: string): Promise<Attempt<string>> {
  const path = await findOnPath(program, tools.env);
  return path === undefined ? { kind: 'skipped', why: 'none' } : { kind: 'found', value: path };
}

async function inCache(path: string): Promise<Attempt<string>> {
  return (await isExecutable(path)) ? { kind: 'found', value: path } : { kind: 'skipped', why: `no ${path}` };
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `  - ${line}`).join('\n');
}

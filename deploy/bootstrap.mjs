// What `npm start`, `npm test` and `npm run bench` run: makes a fresh clone ready (dependencies, build) and hands over
// in this same process, so that a signal has one receiver. Plain JavaScript without dependencies: nothing else is
// there yet. Knows files and stamps; not NATS, not the gateway.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGES = ['schemas', 'client', 'producers', 'gateway', 'deploy', 'test', 'examples/scooters'];
const manifest = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));

const TARGETS = { start: runStart, test: runTests, bench: runBench };

await main(process.argv.slice(2));

async function main([target = '', ...args]) {
  const run = TARGETS[target];
  if (run === undefined) fail(`usage: node deploy/bootstrap.mjs ${Object.keys(TARGETS).join('|')} [arguments]`);
  requireNode();
  process.chdir(CHECKOUT);
  try {
    await installDependencies();
    await build();
  } catch (error) {
    console.error(`\n${error.message}`);
    if (target === 'test') reportCounts(0, 0);
    process.exit(1);
  }
  await run(args);
}

function requireNode() {
  const floor = /\d+\.\d+\.\d+/.exec(manifest.engines.node)[0];
  const [have, need] = [process.versions.node, floor].map((version) => version.split('.').map(Number));
  const difference = have.map((part, index) => part - need[index]).find((part) => part !== 0) ?? 0;
  if (difference < 0)
    fail(`Sluice needs Node ${floor} or newer; this is ${process.versions.node} (${process.execPath}).`);
}

// --- Dependencies ----------------------------------------------------------------------------------------------------

async function installDependencies() {
  const stamp = join(CHECKOUT, 'node_modules', '.sluice-installed');
  const inputs = [
    'package.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    ...PACKAGES.map((name) => `${name}/package.json`),
  ];
  const wanted = fingerprint(inputs.map((file) => readFileSync(join(CHECKOUT, file))));
  if (readStamp(stamp) === wanted) return;

  const pnpm = manifest.packageManager;
  console.log(`Installing dependencies with ${pnpm} (once; a minute or two with an empty cache)`);
  const startedAt = Date.now();
  // npx brings the pinned pnpm itself. Nobody is asked anything: there may be no terminal to answer from.
  const flags = [
    '--frozen-lockfile',
    '--config.confirmModulesPurge=false',
    ...(process.stdout.isTTY ? [] : ['--reporter=append-only']),
  ];
  await execute('npx', ['--yes', pnpm, 'install', ...flags], 'The dependencies could not be installed');
  writeStamp(stamp, wanted);
  console.log(`Dependencies installed in ${secondsSince(startedAt)}`);
}

// --- Build -----------------------------------------------------------------------------------------------------------

async function build() {
  // Inside node_modules, because a new installation may bring another compiler.
  const stamp = join(CHECKOUT, 'node_modules', '.sluice-built');
  const wanted = fingerprint([readFileSync(join(CHECKOUT, 'pnpm-lock.yaml')), ...sourceStates()]);
  const isComplete = PACKAGES.every((name) => existsSync(join(CHECKOUT, name, 'dist', '.tsbuildinfo')));
  // Even an incremental `tsc -b` with nothing to do costs more than all the rest of a second start.
  if (isComplete && readStamp(stamp) === wanted) return;

  console.log('Building');
  const startedAt = Date.now();
  // A failed build must not pass for a finished one next time.
  rmSync(stamp, { force: true });
  const compiler = join(CHECKOUT, 'node_modules', 'typescript', 'bin', 'tsc');
  await execute(process.execPath, [compiler, '-b'], 'The build failed');
  writeStamp(stamp, wanted);
  console.log(`Built in ${secondsSince(startedAt)}`);
}

/** Name, time and size of every file the compiler may read; a deleted one changes the list too. */
function sourceStates() {
  const states = [];
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && entry.name !== 'dist') visit(path);
      } else if (/\.(ts|mts|json)$/.test(entry.name)) {
        const { mtimeMs, size } = statSync(path);
        states.push(`${path}\0${mtimeMs}\0${size}`);
      }
    }
  };
  for (const name of PACKAGES) visit(join(CHECKOUT, name));
  for (const name of ['tsconfig.json', 'tsconfig.base.json']) states.push(readFileSync(join(CHECKOUT, name)));
  return states;
}

// --- Handing over ----------------------------------------------------------------------------------------------------

async function runStart(args) {
  await become(join(CHECKOUT, 'deploy', 'dist', 'start.js'), args);
}

async function runBench(args) {
  const entry = join(CHECKOUT, 'test', 'dist', 'bench', 'main.js');
  if (!existsSync(entry)) fail('This checkout has no benchmarks (test/bench/main.ts is missing).');
  await become(entry, args);
}

/** The module runs as if node had been started with it. */
async function become(entry, args) {
  process.argv = [process.execPath, entry, ...args];
  await import(pathToFileURL(entry).href);
}

async function runTests(args) {
  const { prepareTestServer } = await import('./dist/prepare-test-server.js');
  try {
    await prepareTestServer();
  } catch (error) {
    console.error(`\n${error.message}`);
    reportCounts(0, 0);
    process.exit(1);
  }
  process.env.NODE_ENV ??= 'test';
  const { parseCLI, startVitest } = await import('vitest/node');
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  // Container suites need an engine, which a newcomer need not have: they run where they are asked for.
  const project = options.project ?? '!containers';
  const vitest = await startVitest('test', filter, { ...options, project, run: true, watch: false });
  const { passed, failed } = countTests(vitest.state.getTestModules());
  const hasErrors = vitest.state.getUnhandledErrors().length > 0;
  await vitest.close();
  reportCounts(passed, failed);
  process.exit(failed === 0 && passed > 0 && !hasErrors && !process.exitCode ? 0 : 1);
}

function countTests(modules) {
  let passed = 0;
  let failed = 0;
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed += 1;
      // Pending after the end: the file broke off before this test's turn.
      if (state === 'failed' || state === 'pending') failedHere += 1;
    }
    // A file that could not be loaded, or whose set-up failed, has no failed test of its own.
    failed += failedHere === 0 && !module.ok() ? 1 : failedHere;
  }
  return { passed, failed };
}

/** The line that CI reads: the last one, alone. */
function reportCounts(passed, failed) {
  console.log(`${passed} passed, ${failed} failed`);
}

// --- Small things ----------------------------------------------------------------------------------------------------

function execute(program, args, complaint) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: CHECKOUT,
      stdio: ['ignore', 'inherit', 'inherit'],
      // The versions are pinned; an advertisement for others is no help here.
      env: { ...process.env, npm_config_update_notifier: 'false' },
    });
    // In a terminal the child gets Ctrl-C from there as well; ending twice does an installer or a compiler no harm.
    const forward = (signal) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward);
    child.once('error', (error) => reject(new Error(`${complaint}: ${error.message}`)));
    child.once('exit', (code, signal) => {
      for (const name of ['SIGINT', 'SIGTERM']) process.off(name, forward);
      if (code === 0) resolve();
      else reject(new Error(`${complaint} (${signal ?? `code ${code}`}). The reason is above.`));
    });
  });
}

function fingerprint(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function readStamp(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function writeStamp(path, text) {
  mkdirSync(join(path, '..'), { recursive: true });
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

function secondsSince(startedAt) {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

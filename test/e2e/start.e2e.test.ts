// What `npm start` hands over to, as a newcomer meets it: one screen that works, and nothing left behind, however it ends.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';

const run = promisify(execFile);
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const START = join(CHECKOUT, 'deploy', 'dist', 'start.js');
const SLUICE = join(CHECKOUT, 'deploy', 'bin', 'sluice.mjs');

interface Running {
  readonly natsUrl: string;
  readonly gatewayUrl: string;
  readonly operationsUrl: string;
  readonly token: string;
}

let folder: string;
let env: NodeJS.ProcessEnv;
let start: { readonly child: ChildProcess; output: string; readonly exited: Promise<number | null> };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  env = { ...process.env, SLUICE_DEPLOY_FOLDER: folder };
  delete env['SLUICE_NATS_URL'];
  start = startStack();
  await eventually(() => start.output.includes('Ctrl-C stops everything') || start.child.exitCode !== null, {
    timeoutMs: 60_000,
  });
  if (start.child.exitCode !== null) throw new Error(`it did not start:\n${start.output}`);
});

afterEach(async () => {
  if (start.child.exitCode === null) start.child.kill('SIGTERM');
  await start.exited;
  await rm(folder, { recursive: true, force: true });
});

function startStack(): typeof start {
  const child = spawn(process.execPath, [START], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stack = {
    child,
    output: '',
    exited: new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code))),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (stack.output += text));
  }
  return stack;
}

const running = async (): Promise<Running> => JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as Running;

const sluice = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, [SLUICE, ...args], { env, timeout: 20_000 })).stdout;

/** Everything that carries this run's folder in its environment: all that the stack has started. */
async function processesOfStack(): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,stat=,args=']);
  const lines = stdout.split('\n').filter((line) => !/^\s*\d+ Z/.test(line));
  const pids = lines.map((line) => Number(line.trim().split(/\s/)[0])).filter((pid) => pid > 0 && pid !== process.pid);
  const marked = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).includes(folder)),
  );
  return pids.flatMap((pid, index) =>
    marked[index] ? [lines.find((line) => Number(line.trim().split(/\s/)[0]) === pid) ?? ''] : [],
  );
}

test('the screen names an address that is ready, a token and lines that work', async () => {
  const { natsUrl, gatewayUrl, operationsUrl, token } = await running();

  expect(start.output).toContain(gatewayUrl);
  expect(start.output).toContain(token);
  expect(decodeJwt(token)).toMatchObject({ sub: 'u-1', role: 'admin' });
  expect((await fetch(`${operationsUrl}/readyz`)).status).toBe(200);
  const pub = /npx sluice nats pub (\S+) '(.*)'/.exec(start.output);
  await sluice('nats', 'pub', pub?.[1] ?? '', pub?.[2] ?? '');
  const stored = JSON.parse(await sluice('nats', 'stream', 'get', 'ORDER', '-S', pub?.[1] ?? '', '--json')) as {
    data: string;
  };
  expect(JSON.parse(Buffer.from(stored.data, 'base64').toString())).toMatchObject({ orderId: 'o-17' });
  expect(natsUrl).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
});

test('nothing of it listens to other machines', async () => {
  const { natsUrl, gatewayUrl, operationsUrl } = await running();

  // Whoever listens on every address is also found at another one of this machine.
  const isFound = (url: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.2', port: Number(new URL(url).port) });
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  expect(await Promise.all([natsUrl, gatewayUrl, operationsUrl].map(isFound))).toEqual([false, false, false]);
});

test('the city publishes orders', async () => {
  const count = async (): Promise<number> => {
    const info = JSON.parse(await sluice('nats', 'stream', 'info', 'ORDER', '--json')) as {
      state: { messages: number };
    };
    return info.state.messages;
  };
  const before = await count();

  await eventually(async () => (await count()) > before + 20, { timeoutMs: 20_000 });
});

test('every tail that the screen names shows a living city, and nobody needs a token for it', async () => {
  const named = [...start.output.matchAll(/npx sluice tail ([a-z]+:[\w-]+)$/gm)].map(([, channel]) => channel ?? '');
  expect(named).toEqual(expect.arrayContaining(['admin:dashboard', 'user:u-1', 'merchant:m-1', 'leaderboard:daily']));
  const isLive = async (channel: string): Promise<boolean> => {
    const lines = (await sluice('tail', channel, '--first', 'none', '--count', '1', '--json')).trim().split('\n');
    return lines.length > 0 && lines.every((line) => line.startsWith('{'));
  };
  for (const channel of named) {
    await eventually(() => isLive(channel), { timeoutMs: 60_000, what: `news on ${channel}` });
  }
}, 120_000);

test('a second start in the same place is refused, and harms nothing', async () => {
  const second = startStack();

  expect(await second.exited).toBe(1);
  expect(second.output).toContain('already');
  expect((await fetch(`${(await running()).operationsUrl}/readyz`)).status).toBe(200);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s stops everything in order', async (signal) => {
  start.child.kill(signal);

  expect(await start.exited).toBe(0);
  expect(start.output).toMatch(/Stopping city\nStopping gateway\nStopping nats-server\n$/);
  await eventually(async () => (await processesOfStack()).length === 0, { timeoutMs: 10_000 });
});

test('a gateway that dies ends the rest, and the message says what and why', async () => {
  const gateway = (await processesOfStack()).find((line) => line.includes('gateway/dist/main.js'));

  process.kill(Number(gateway?.trim().split(/\s/)[0]), 'SIGKILL');

  expect(await start.exited).toBe(1);
  expect(start.output).toContain('The gateway has ended by itself (SIGKILL)');
  await eventually(async () => (await processesOfStack()).length === 0, { timeoutMs: 10_000 });
});

test('a start that is killed leaves nothing running, and the next one finds its data', async () => {
  await sluice('nats', 'pub', 'order.m-1.u-1.o-kept.status_changed', '{}');

  start.child.kill('SIGKILL');
  await eventually(async () => (await processesOfStack()).length === 0, { timeoutMs: 20_000 });
  await start.exited;
  start = startStack();
  await eventually(() => start.output.includes('Ctrl-C stops everything'), { timeoutMs: 60_000 });

  expect(await sluice('nats', 'stream', 'subjects', 'ORDER', '--json')).toContain('o-kept');
});

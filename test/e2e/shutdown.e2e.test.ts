// How the gateway's process ends: on signals, at whatever moment they come, and on a fault that nobody caught.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { test } from '../kit/fixtures.ts';
import { freePort } from '../kit/ports.ts';
import { startProcess } from '../kit/process.ts';
import { TEST_SECRET } from '../kit/token.ts';

const MAIN = fileURLToPath(new URL('../../gateway/dist/main.js', import.meta.url));

const messagesOf = (log: readonly string[]): unknown[] =>
  log.filter((line) => line.startsWith('{')).map((line) => (JSON.parse(line) as { msg: unknown }).msg);

test('a second signal does not cut the drain short', async ({ gateway, openFrames }) => {
  const client = await openFrames();
  process.kill(gateway.pid, 'SIGTERM');
  await client.next('drain');
  process.kill(gateway.pid, 'SIGINT');
  await eventually(() => messagesOf(gateway.log()).filter((msg) => msg === 'stopping').length === 2);

  expect((await fetch(`${gateway.operationsUrl}/readyz`)).status).toBe(503);
  client[Symbol.dispose]();

  expect(await gateway.exited).toEqual({ code: 0, signal: null });
  expect(messagesOf(gateway.log()).at(-1)).toBe('closed');
});

test('a signal while NATS is being looked for is a clean end', async () => {
  const gateway = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: [MAIN],
    env: {
      PATH: process.env['PATH'] ?? '',
      SLUICE_NATS_URL: `nats://127.0.0.1:${await freePort()}`,
      SLUICE_PORT: String(await freePort()),
      SLUICE_OPERATIONS_PORT: String(await freePort()),
      SLUICE_TOKEN_SECRET: TEST_SECRET,
    },
    isReady: (line) => line.includes('health and metrics'),
  });

  expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  expect(messagesOf(gateway.log()).at(-1)).toBe('closed');
});

test('a fault that nobody caught ends the process with a line of its log, without the token in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-fault-'));
  const catalogue = join(folder, 'catalogue.mjs');
  await writeFile(
    catalogue,
    `setTimeout(() => { throw new Error('a fault with eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1LTEifQ.c2ln in it'); }, 50);
     await new Promise((resolve) => setTimeout(resolve, 60_000));`,
  );
  const gateway = await startProcess({
    name: 'gateway',
    command: process.execPath,
    args: [MAIN],
    env: { PATH: process.env['PATH'] ?? '', SLUICE_CATALOGUE: catalogue, SLUICE_TOKEN_SECRET: TEST_SECRET },
    isReady: () => true,
  });

  expect((await gateway.exited).code).toBe(1);
  expect(messagesOf(gateway.log())).toEqual(['a fault that nobody caught']);
  expect(gateway.log().join('\n')).not.toContain('eyJ');
  await rm(folder, { recursive: true });
});

import { afterEach, expect, test } from 'vitest';
import { NOT_STARTED, type Readiness } from './health.ts';
import { createOperationsServer, type OperationsServer } from './server.ts';

const servers: OperationsServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const start = async (
  over: { readiness?: () => Readiness; text?: () => Promise<string>; port?: number } = {},
): Promise<string> => {
  const server = createOperationsServer({
    host: '127.0.0.1',
    port: over.port ?? 0,
    readiness: over.readiness ?? ((): Readiness => ({ isReady: true, reasons: [] })),
    metrics: { contentType: 'text/plain; version=0.0.4', text: over.text ?? (() => Promise.resolve('a_metric 1\n')) },
  });
  servers.push(server);
  return `http://127.0.0.1:${await server.listen()}`;
};

test('is alive as long as it answers', async () => {
  const address = await start({ readiness: () => NOT_STARTED });

  const response = await fetch(`${address}/livez`);

  expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
});

test('says whether it is ready, and what is wrong', async () => {
  let readiness: Readiness = NOT_STARTED;
  const address = await start({ readiness: () => readiness });

  const before = await fetch(`${address}/readyz`);
  readiness = { isReady: true, reasons: [{ kind: 'reader_behind', stream: 'ORDER', byEvents: 3 }] };
  const after = await fetch(`${address}/readyz?verbose`);

  expect([before.status, await before.json()]).toEqual([503, { ready: false, reasons: [{ kind: 'starting' }] }]);
  expect([after.status, await after.json()]).toEqual([
    200,
    { ready: true, reasons: [{ kind: 'reader_behind', stream: 'ORDER', byEvents: 3 }] },
  ]);
});

test('hands out metrics, which nobody caches', async () => {
  const response = await fetch(`${await start()}/metrics`);

  expect(await response.text()).toBe('a_metric 1\n');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  expect(response.headers.get('cache-control')).toBe('no-store');
});

test('survives a scrape that fails', async () => {
  const address = await start({ text: () => Promise.reject(new Error('a secret of the registry')) });

  const failed = await fetch(`${address}/metrics`);

  expect([failed.status, await failed.text()]).toEqual([500, 'internal\n']);
  expect((await fetch(`${address}/livez`)).status).toBe(200);
});

test('answers nothing else', async () => {
  const address = await start();

  expect((await fetch(`${address}/`)).status).toBe(404);
  expect((await fetch(`${address}/readyz`, { method: 'POST' })).status).toBe(405);
  const head = await fetch(`${address}/readyz`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('says when its port is taken', async () => {
  const taken = Number(new URL(await start()).port);

  await expect(start({ port: taken })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  servers.pop();
});

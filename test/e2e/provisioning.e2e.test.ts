// `sluice streams apply` and the checked-in stream configurations against a real server: what they make is what a gateway
// serves, a second run does nothing, and nothing that is stored is ever lost without being asked for.
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type JetStreamManager, StorageType, jetstreamManager } from '@nats-io/jetstream';
import { mustCompileCatalogue, orders, rez } from '@sluice/schemas';
import { planStreams, streamConfigsOf } from '@sluice/producers';
import { expect, test as base } from 'vitest';
import { type NatsServer, startNatsServer } from '../kit/nats-server.ts';
import { startNatsCluster } from '../kit/nats-cluster.ts';
import { publishOrderEvents } from '../kit/order-events.ts';

const SLUICE = fileURLToPath(new URL('../../deploy/bin/sluice.mjs', import.meta.url));
const STREAMS = fileURLToPath(new URL('../../docs/catalogue/streams', import.meta.url));
const CLI_TIMEOUT_MS = 20_000;

interface Ran {
  code: number;
  output: string;
}

interface Fixtures {
  nats: NatsServer;
  manager: JetStreamManager;
  sluice: (...args: string[]) => Promise<Ran>;
}

async function runSluice(natsUrl: string, args: readonly string[]): Promise<Ran> {
  const env = { ...process.env, SLUICE_NATS_URL: natsUrl, SLUICE_CATALOGUE: '' };
  try {
    const options = { env, timeout: CLI_TIMEOUT_MS };
    const { stdout } = await promisify(execFile)(process.execPath, [SLUICE, ...args], options);
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout: string; stderr: string };
    return { code: code ?? -1, output: stdout + stderr };
  }
}

const test = base.extend<Fixtures>({
  nats: async ({}, use) => {
    await using nats = await startNatsServer();
    await use(nats);
  },
  manager: async ({ nats }, use) => {
    await using connection = await nats.connect();
    await use(await jetstreamManager(connection));
  },
  sluice: async ({ nats }, use) => {
    await use(async (...args) => await runSluice(nats.url, args));
  },
});

const apply = ['streams', 'apply'] as const;
const catalogue = mustCompileCatalogue(rez);

test('the streams of the whole domain are shown, then made, then left alone', async ({ manager, sluice }) => {
  const shown = await sluice(...apply, '--dry-run');
  expect(shown.code).toBe(1);
  expect(shown.output).toMatch(/^\+ ORDER +new: subjects order\.> delivery\.>, max_age 7 d/m);
  expect(await manager.streams.names().next()).toEqual([]);

  const asked = await sluice(...apply);
  expect(asked).toEqual({ code: 1, output: expect.stringContaining('Run it with --yes') });
  expect(await manager.streams.names().next()).toEqual([]);

  const made = await sluice(...apply, '--yes');
  expect(made.code).toBe(0);
  const plans = await planStreams(manager, catalogue);
  expect(plans.map(({ stream, kind, fields }) => [stream, kind, fields])).toEqual(
    streamConfigsOf(catalogue).map(({ name }) => [name, 'equal', []]),
  );

  const before = await manager.streams.list().next();
  for (const mode of ['--yes', '--dry-run']) {
    const again = await sluice(...apply, mode);
    expect(again).toEqual({ code: 0, output: expect.stringContaining('Nothing to do.') });
  }
  const configsOf = (infos: typeof before): unknown[] => infos.map(({ config, created }) => ({ config, created }));
  expect(configsOf(await manager.streams.list().next())).toEqual(configsOf(before));
});

test('what an operator has tuned stays, what is missing comes, nothing stored goes', async ({
  nats,
  manager,
  sluice,
}) => {
  await sluice(...apply, '--catalogue', 'orders', '--yes');
  await using connection = await nats.connect();
  await publishOrderEvents(connection, 10);
  const { config } = await manager.streams.info('ORDER');
  const tuned = { max_age: config.max_age * 2, max_bytes: 50_000_000, max_msgs: 1_000_000, allow_direct: false };
  await manager.streams.update('ORDER', { ...config, ...tuned, subjects: ['order.>', 'audit.>'] });

  const applied = await sluice(...apply, '--catalogue', 'orders', '--yes');

  expect(applied.code).toBe(0);
  expect(applied.output).toContain('subjects: order.> audit.> -> order.> delivery.> audit.>');
  expect(applied.output).toContain('max_age stays 14 d; the catalogue says 7 d (--shrink)');
  const after = await manager.streams.info('ORDER');
  expect(after.config).toMatchObject({ ...tuned, allow_direct: true });
  expect(after.config.subjects?.toSorted()).toEqual(['audit.>', 'delivery.>', 'order.>']);
  expect(after.state.messages).toBe(10);

  expect((await sluice(...apply, '--catalogue', 'orders', '--yes', '--shrink')).code).toBe(0);
  const shrunk = await manager.streams.info('ORDER');
  // Limits that the catalogue does not name are no wish of it.
  expect(shrunk.config).toMatchObject({ max_age: config.max_age, max_bytes: 50_000_000, max_msgs: 1_000_000 });
  expect(shrunk.config.subjects).toEqual(['order.>', 'delivery.>']);
  expect(shrunk.state.messages).toBe(10);
});

test('what no server changes is refused before anything is done', async ({ manager, sluice }) => {
  await manager.streams.add({ name: 'PAYMENT', subjects: ['payment.>'], storage: StorageType.Memory });

  const refused = await sluice(...apply, '--catalogue', 'orders', '--yes');

  expect(refused.code).toBe(1);
  expect(refused.output).toContain('storage is memory and should be file: no server changes that');
  expect(refused.output).toContain('Nothing was done');
  expect(await manager.streams.names().next()).toEqual(['PAYMENT']);
});

test('what the server refuses is said with its reason, and the others are done', async ({ manager, sluice }) => {
  await manager.streams.add({ name: 'SOMEBODY', subjects: ['order.eu.>'] });

  const refused = await sluice(...apply, '--catalogue', 'orders', '--yes');

  expect(refused.code).toBe(1);
  expect(refused.output).toMatch(/^ORDER: refused: subjects overlap/m);
  expect(refused.output).toMatch(/^PAYMENT: created$/m);
  expect((await manager.streams.names().next()).toSorted()).toEqual(['PAYMENT', 'SOMEBODY']);
});

test('`nats stream add --config` takes every checked-in configuration, and makes the same streams', async ({
  nats,
  manager,
  sluice,
}) => {
  for (const file of readdirSync(STREAMS)) {
    const added = await sluice('nats', '--server', nats.url, 'stream', 'add', '--config', `${STREAMS}/${file}`);
    expect(added).toEqual({ code: 0, output: expect.stringContaining('was created') });
  }

  const plans = await planStreams(manager, catalogue);
  expect(plans.map(({ stream, kind, fields }) => [stream, kind, fields])).toEqual(
    streamConfigsOf(catalogue).map(({ name }) => [name, 'equal', []]),
  );
});

test('copies are made where they are asked for', async () => {
  await using cluster = await startNatsCluster();
  const url = cluster.servers[0]!.url;
  await using connection = await cluster.servers[0]!.connect();
  const manager = await jetstreamManager(connection, { timeout: 20_000 });
  await runSluice(url, [...apply, '--catalogue', 'orders', '--yes']);

  const applied = await runSluice(url, [...apply, '--catalogue', 'orders', '--yes', '--replicas', '3']);

  expect(applied.output).toContain('num_replicas: 1 -> 3');
  expect(applied.code).toBe(0);
  expect((await manager.streams.info('ORDER')).config.num_replicas).toBe(3);
  // Not given is not one.
  expect((await runSluice(url, [...apply, '--catalogue', 'orders', '--yes', '--shrink'])).output).toContain(
    'Nothing to do',
  );
});

test('a server that is not there, and a catalogue that is none, are told in a sentence', async ({ sluice }) => {
  expect(await runSluice('nats://127.0.0.1:1', [...apply, '--yes'])).toEqual({
    code: 1,
    output: expect.stringContaining('No connection to NATS'),
  });
  expect(await sluice(...apply, '--catalogue', './nowhere.js', '--yes')).toEqual({
    code: 1,
    output: expect.stringContaining('neither a shipped catalogue'),
  });
});

test('the checked-in configurations are those of the reference catalogue', () => {
  const names = readdirSync(STREAMS).map((file) => file.replace('.json', ''));
  expect(names.toSorted()).toEqual(
    streamConfigsOf(catalogue)
      .map(({ name }) => name)
      .toSorted(),
  );
  expect(streamConfigsOf(mustCompileCatalogue(orders)).every(({ name }) => names.includes(name))).toBe(true);
});

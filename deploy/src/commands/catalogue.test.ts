import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCatalogueArguments, runCatalogue } from './catalogue.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-catalogue-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function module(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runCatalogue(args, { env: {}, print: (line) => lines.push(line) });
  return { code, text: lines.join('\n') };
}

// As plain JavaScript, the way a team without TypeScript writes one: definitions are data.
const stream = `{ name: 'FLEET', maxAgeMs: 3600000 }`;
const type = `{ kind: 'state', schema: { type: 'object' }, aliases: [] }`;

test('a sound catalogue is summed up', async () => {
  expect(await run('check')).toEqual({
    code: 0,
    text: expect.stringMatching(/^rez: \d+ event types, .*; no fault\.$/),
  });
  expect((await run('check', 'orders')).text).toBe(
    'orders: 9 event types, 3 families over 2 streams, 3 channels, 0 commands, 0 calls; no fault.',
  );
});

test('a module of somebody else is checked, too', async () => {
  const path = await module(
    'good.mjs',
    `export const catalogue = {
      families: [{ name: 'scooter', subject: 'scooter.{id}', stream: ${stream}, types: { moved: ${type} } }],
      channels: [{ name: 'scooter:{id}', first: 'states', access: [{ roles: 'any', filters: [
        { family: 'scooter', bindings: { id: { kind: 'param', name: 'id' } } } ] }] }],
      role: { claim: 'role', fallback: 'rider' },
    };`,
  );

  expect(await run('check', path)).toMatchObject({ code: 0 });
  expect((await run('list', path)).text).toContain('scooter.moved  state  FLEET');
});

test('all faults are listed', async () => {
  const path = await module(
    'bad.mjs',
    `export const catalogue = {
      families: [{ name: 'scooter', subject: 'eph.{id}', stream: ${stream}, types: { Moved: ${type} } }],
      channels: [{ name: 'scooter:{id}', first: 'states', access: [{ roles: 'any', filters: [
        { family: 'bike', bindings: {} } ] }] }],
      role: { claim: 'role', fallback: 'rider' },
    };`,
  );

  const { code, text } = await run('check', path);

  expect(code).toBe(1);
  expect(text).toContain('- family scooter: eph.> is for ephemeral events');
  expect(text).toContain('- type scooter.Moved is not snake_case');
  expect(text).toContain('- channel scooter:{id}: family bike is not in the catalogue');
  await expect(run('list', path)).rejects.toMatchObject({ code: 'catalogue_unusable' });
});

test.each([
  ['missing.mjs', undefined, 'neither a shipped catalogue'],
  ['broken.mjs', 'export const catalogue = {', 'neither a shipped catalogue'],
  ['empty.mjs', 'export const other = {};', 'exports no "catalogue"'],
  ['odd.mjs', 'export const catalogue = { families: 7 };', 'that is none'],
])('%s is told apart from one with faults', async (name, text, message) => {
  const path = text === undefined ? join(folder, name) : await module(name, text);

  await expect(run('check', path)).rejects.toMatchObject({
    code: 'catalogue_unusable',
    message: expect.stringContaining(message),
  });
});

test('help is the way out of every doubt', async () => {
  for (const args of [[], ['help'], ['--help'], ['check', '--help']])
    expect(await run(...args)).toEqual({ code: 0, text: expect.stringContaining('sluice catalogue check') });
});

test('SLUICE_CATALOGUE is the default, as for the gateway', () => {
  expect(parseCatalogueArguments(['check'], { SLUICE_CATALOGUE: 'orders' })).toEqual({
    action: 'check',
    from: 'orders',
  });
});

test.each([[['chek']], [['check', 'a', 'b']], [['check', '--all']]])('%j is refused', async (args) => {
  await expect(run(...args)).rejects.toMatchObject({ code: 'bad_arguments' });
});

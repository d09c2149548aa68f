// What a browser loads of the SDK must not reach Node or the server. Walks the import graph from each door.
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SOURCE = fileURLToPath(new URL('.', import.meta.url));
const SCHEMAS = join(SOURCE, '../../schemas/src');
const FORBIDDEN = /^(node:|ws$|@sluice\/(gateway|producers|deploy|test)|@nats-io\/|uWebSockets\.js|uwebsockets)/;
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(type\s)?[^;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/g;
/** Globals of Node alone; `types: node` lets the compiler accept them. */
const NODE_GLOBAL = /\b(process\.|Buffer\b|setImmediate\b|__dirname\b|require\()/;

interface Graph {
  /** Files of the workspace, by absolute path. */
  readonly files: ReadonlySet<string>;
  /** Names of packages and built-in modules, with who asks for them. */
  readonly packages: ReadonlyMap<string, string>;
}

const walk = (door: string): Graph => {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, isType, from, dynamic, bare] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const name = from ?? dynamic ?? bare!;
      if (isType) continue;
      if (name.startsWith('.')) visit(join(dirname(file), name));
      else if (name === '@sluice/schemas') visit(join(SCHEMAS, 'index.ts'));
      else packages.set(name, relative(SOURCE, file));
    }
  };
  visit(join(SOURCE, door));
  return { files, packages };
};

describe('the browser’s door', () => {
  const { files, packages } = walk('index.ts');

  test('reaches the client and the contracts', () => {
    const names = [...files].map((file) => relative(SOURCE, file));

    expect(names).toContain('client.ts');
    expect(names).toContain('transports/websocket.ts');
    expect(names).toContain(relative(SOURCE, join(SCHEMAS, 'codec.ts')));
    expect(names).not.toContain('node.ts');
  });

  test('reaches nothing of Node or the server', () => {
    expect([...packages].filter(([name]) => FORBIDDEN.test(name))).toEqual([]);
    expect([...packages.keys()].every((name) => /^(msgpackr|typebox)(\/|$)/.test(name))).toBe(true);
  });

  test('uses no global of Node', () => {
    const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    const users = [...files].filter((file) => NODE_GLOBAL.test(withoutComments(readFileSync(file, 'utf8'))));

    expect(users.map((file) => relative(SOURCE, file))).toEqual([]);
  });

  test('finds packages that are made for browsers', () => {
    const folder = join(SCHEMAS, '../node_modules/msgpackr');
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      exports: { '.': { browser: string } };
    };
    const entry = readFileSync(join(folder, manifest.exports['.'].browser), 'utf8');

    expect(entry).toContain('Unpackr');
    expect(entry).not.toMatch(/from '(node:|stream|module|fs)/);
  });
});

describe('Node’s door', () => {
  const { packages } = walk('node.ts');

  test('adds the ws package, in its own file only', () => {
    expect(packages.get('ws')).toBe('node.ts');
  });

  test('never reaches the server', () => {
    expect([...packages.keys()].filter((name) => FORBIDDEN.test(name) && name !== 'ws')).toEqual([]);
  });
});

test('both doors export the same names', async () => {
  const [browser, node] = await Promise.all([import('./index.ts'), import('./node.ts')]);

  expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
});

// schemas runs in a browser: nothing in it may reach for Node, a socket or another package of the workspace.
import { expect, test } from 'vitest';

/** All that is shipped may import. */
const ALLOWED = new Set(['msgpackr', 'typebox', 'typebox/compile']);
// `Date.parse` reads a text, not the clock.
const IO =
  /\b(process|Buffer|require|fetch|WebSocket|XMLHttpRequest|setTimeout|setInterval|setImmediate|Date|performance|console)\b(?!\.parse\b)\s*(?:\(|\.\w)/;

// Vite's own, so that the test needs no file system either.
const sources = Object.entries(
  (import.meta as unknown as { glob: (pattern: string, options: object) => Record<string, string> }).glob('./**/*.ts', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
).filter(([path]) => !path.endsWith('.test.ts') && !path.endsWith('.fixture.ts'));

const withoutComments = (source: string): string => source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

test('the sources are found', () => {
  expect(sources.map(([path]) => path)).toContain('./codec.ts');
  expect(sources.length).toBeGreaterThan(20);
});

test.each(sources)('%s imports only its own files, msgpackr and typebox', (_, source) => {
  const imports = [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name!);

  expect(imports.filter((name) => !name.startsWith('./') && !name.startsWith('../') && !ALLOWED.has(name))).toEqual([]);
});

test.each(sources)('%s reads no clock, waits for nothing and does no IO', (_, source) => {
  expect(IO.exec(withoutComments(source))?.[0]).toBeUndefined();
});

// docs/PROTOCOL.md promises that each invariant names its tests: they exist, and say which invariant they hold.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const docs = new URL('../../docs/PROTOCOL.md', import.meta.url);
const rows = readFileSync(docs, 'utf8')
  .split('\n')
  .flatMap((line) => /^\| (I\d) \| .* \| (.*) \|$/.exec(line) ?? [])
  .filter((_, at) => at % 3 > 0);
const invariants = rows.flatMap((name, at) => (at % 2 === 0 ? [[name, rows[at + 1]!] as const] : []));

test('the table names the invariants that this version has', () => {
  expect(invariants.map(([name]) => name)).toEqual(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9']);
});

test.each(invariants)('%s is held by tests that name it', (name, tests) => {
  const files = [...tests.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);

  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const source = readFileSync(new URL(file, docs), 'utf8');
    // "(I1 to I4)" names the ones between, too.
    const ranges = [...source.matchAll(/I(\d) to I(\d)/g)].map(([, from, to]) => [Number(from), Number(to)] as const);
    const isNamed =
      new RegExp(`\\b${name}\\b`).test(source) ||
      ranges.some(([from, to]) => from <= Number(name[1]) && Number(name[1]) <= to);
    expect([file, isNamed]).toEqual([file, true]);
  }
});

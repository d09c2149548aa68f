// docs/DOMAIN-TESTS.md: family by family, which test proves it. The page names every family, and only tests that exist.
// After a change: npx vitest run --project unit test/kit/domain-tests -u
import { readFileSync } from 'node:fs';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { jsonSchemas } from '@sluice/schemas/derive';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { FURTHER_TESTS, type FurtherTest } from './domain-tests.ts';
import { type FamilyRow, familyTitles, typeOfEvent } from './families/row.ts';
import { FAMILY_ROWS } from './families/rows.ts';

const ROOT = new URL('../../', import.meta.url);
const FAMILIES_FILE = 'test/e2e/families/families.e2e.test.ts';
const catalogue = mustCompileCatalogue(rez);
const { families } = catalogue;
const schemas = new Map(jsonSchemas(catalogue, 'rez').map(({ path, schema }) => [path, schema]));
const ajv = new Ajv2020({ strict: false });

const HEAD = `# Which test proves which part of the domain

<!-- Generated from test/kit/families and test/kit/domain-tests.ts: change it there, then run \`npx vitest run --project unit test/kit/domain-tests -u\`. -->

Each family of the [reference catalogue](CATALOGUE.md) goes through a real nats-server, a real gateway process and the SDK in
[families.e2e](../${FAMILIES_FILE}): every type to those who may see it, the permission that must fail, what was missed
while away, and \`nats pub\` by the real CLI.`;

const link = ({ title, file }: FurtherTest): string => `[${title}](../${file})`;

const part = (row: FamilyRow): string => {
  const { passing, ...stored } = familyTitles(row);
  const titles = [...Object.values(stored), ...(row.passing ? [passing] : [])];
  const further = FURTHER_TESTS.filter(({ families: named }) => named.includes(row.family));
  return [
    `## ${row.family}`,
    '',
    ...titles.map((title) => `- ${link({ title, file: FAMILIES_FILE, families: [] })}`),
    ...further.map((each) => `- ${link(each)}`),
  ].join('\n');
};

test('docs/DOMAIN-TESTS.md is fresh', async () => {
  const page = [HEAD, ...FAMILY_ROWS.map(part)].join('\n\n') + '\n';

  await expect(page).toMatchFileSnapshot('../../docs/DOMAIN-TESTS.md');
});

test('every family of the catalogue has a row', () => {
  expect(FAMILY_ROWS.map(({ family }) => family).toSorted()).toEqual([...families.keys()].toSorted());
});

describe.each(FAMILY_ROWS.map((row) => [row.family, row] as const))('%s', (name, row) => {
  const events = [...row.events, ...(row.passing ?? []), ...(row.hidden ?? [])];

  test('every type of it is published by the test', () => {
    const types = [...(families.get(name)?.types.values() ?? [])].map((type) => type.name);
    expect(events.map(typeOfEvent).toSorted()).toEqual(types.toSorted());
  });

  test.each(events.map((event) => [typeOfEvent(event), event] as const))('%s is a good example', (type, event) => {
    const isValid = ajv.compile(schemas.get(`events/${type}.json`) ?? false);
    expect([isValid(event.payload), isValid.errors]).toEqual([true, null]);
  });
});

test.each(FURTHER_TESTS.map((each) => [each.title, each] as const))(
  '"%s" exists',
  (title, { file, families: named }) => {
    expect(readFileSync(new URL(file, ROOT), 'utf8')).toContain(title);
    expect(named.filter((family) => !families.has(family))).toEqual([]);
  },
);

test('the titles of the rows are those that the tests get', () => {
  const source = readFileSync(new URL(FAMILIES_FILE, ROOT), 'utf8');
  const { passing: _, ...titles } = familyTitles(FAMILY_ROWS[0]!);
  for (const aspect of [...Object.keys(titles), 'passing']) expect(source).toContain(`titles.${aspect}`);
});

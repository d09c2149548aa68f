// What is checked in under docs/ is what the catalogue says, and what other tools take. After a change of the catalogue:
// npx vitest run --project unit test/kit/derived -u
import { readdirSync, readFileSync } from 'node:fs';
import { type Diagnostic, Parser } from '@asyncapi/parser';
import { streamConfigsOf } from '@sluice/producers';
import { mustCompileCatalogue, orders, rez, withCanary } from '@sluice/schemas';
import { asyncApi, cataloguePage, jsonSchemas } from '@sluice/schemas/derive';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';

const DOCS = '../../docs';
const HEAD = `<!-- Generated from schemas/src/rez: change it there, then run \`npx vitest run --project unit test/kit/derived -u\`. -->

What there is to watch and to do, as [\`rez\`](../schemas/src/rez/catalogue.ts) defines it. Derived from the same source:
[an AsyncAPI 3 document](catalogue/asyncapi.json), [JSON Schemas](catalogue/schemas) and
[stream configurations](catalogue/streams) for \`nats stream add --config\`.`;

const { version } = JSON.parse(readFileSync(new URL('../../schemas/package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const catalogue = mustCompileCatalogue(rez);
const schemas = jsonSchemas(catalogue, 'rez');
const document = asyncApi(catalogue, { name: 'rez', version });
const streams = streamConfigsOf(catalogue);

const toText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
const filesIn = (folder: string): string[] =>
  readdirSync(new URL(`${DOCS}/${folder}`, import.meta.url), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.json'),
  );

/** Errors and warnings; informational ones suggest a newer AsyncAPI, and the like. */
const FAULTS: ReadonlySet<number> = new Set([0, 1]);
const isFault = ({ severity }: Diagnostic): boolean => FAULTS.has(severity);

describe('fresh', () => {
  test('docs/CATALOGUE.md', async () => {
    const options = { title: 'The reference catalogue', head: HEAD, schemasFolder: 'catalogue/schemas' };

    await expect(cataloguePage(catalogue, options)).toMatchFileSnapshot(`${DOCS}/CATALOGUE.md`);
  });

  test('docs/catalogue/asyncapi.json', async () => {
    await expect(toText(document)).toMatchFileSnapshot(`${DOCS}/catalogue/asyncapi.json`);
  });

  test.each(schemas.map(({ path, schema }) => [path, schema] as const))('%s', async (path, schema) => {
    await expect(toText(schema)).toMatchFileSnapshot(`${DOCS}/catalogue/schemas/${path}`);
  });

  test.each(streams.map((stream) => [stream.name, stream] as const))('stream %s', async (name, stream) => {
    await expect(toText(stream)).toMatchFileSnapshot(`${DOCS}/catalogue/streams/${name}.json`);
  });

  test.each([
    ['schemas', schemas.map(({ path }) => path)],
    ['streams', streams.map(({ name }) => `${name}.json`)],
  ])('nothing is left in %s of what is gone', (folder, wanted) => {
    expect(filesIn(`catalogue/${folder}`).sort()).toEqual([...wanted].sort());
  });
});

// The canary's too: what a team adds must not make a document that nobody takes.
describe.each([
  ['rez', rez],
  ['orders', orders],
  ['orders with a canary', withCanary(orders, 'CANARY')],
])('%s', (name, definition) => {
  const compiled = mustCompileCatalogue(definition);

  test('the official parser accepts the AsyncAPI document', async () => {
    const text = toText(asyncApi(compiled, { name, version }));

    const { document: parsed, diagnostics } = await new Parser().parse(text);

    expect(diagnostics.filter(isFault).map(({ message, path }) => [message, path])).toEqual([]);
    expect(
      parsed
        ?.channels()
        .get([...compiled.channels.keys()][0]!)
        ?.address(),
    ).toBe(compiled.channels.values().next().value?.definition.name);
  });

  test('every JSON Schema is one of draft 2020-12', () => {
    const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true });
    ajv.addKeyword('x-sluice');
    for (const { schema } of jsonSchemas(compiled, name.replaceAll(' ', '-'))) {
      expect([schema['$id'], ajv.validateSchema(schema), ajv.errors]).toEqual([schema['$id'], true, null]);
      expect(() => ajv.compile(schema)).not.toThrow();
    }
  });
});

test('a parser that accepts everything would be no proof', async () => {
  const broken = {
    ...document,
    channels: { x: { address: 'x', messages: { y: { $ref: '#/components/messages/no' } } } },
  };

  const { diagnostics } = await new Parser().parse(toText(broken));

  expect(diagnostics.some(isFault)).toBe(true);
});

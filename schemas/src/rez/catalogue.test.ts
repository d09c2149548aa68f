import { expect, test } from 'vitest';
import { compileCatalogue } from '../catalogue/compile.ts';
import { rez } from './catalogue.ts';

test('the reference catalogue has no fault', () => {
  const compiled = compileCatalogue(rez);

  expect(compiled.ok ? [] : compiled.error).toEqual([]);
});

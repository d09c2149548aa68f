// Values that fit a schema of the catalogue, for property tests. Knows the parts of JSON Schema that catalogues use; others
// throw, so that no test passes on values that it never made. Patterns are taken from examples that the test gives.
import fc from 'fast-check';

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const MAX_TEXT = 40;
const MAX_ITEMS = 4;

export const arbitraryOf = (schema: Schema): fc.Arbitrary<unknown> => {
  const { const: only, anyOf, type, properties, items, minimum = -1e6, maximum = 1e6 } = schema;
  if (only !== undefined) return fc.constant(only);
  if (anyOf) return fc.oneof(...anyOf.map(arbitraryOf));
  switch (type) {
    case 'object': {
      const fields = Object.fromEntries(
        Object.entries(properties ?? {}).map(([name, field]) => [name, arbitraryOf(field)]),
      );
      return fc.record(fields, { requiredKeys: [...(schema.required ?? [])] });
    }
    case 'array':
      return fc.array(arbitraryOf(items!), { minLength: schema.minItems ?? 0, maxLength: MAX_ITEMS });
    case 'string': {
      const maxLength = Math.min(schema.maxLength ?? MAX_TEXT, MAX_TEXT);
      return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.max(maxLength, schema.minLength ?? 0) });
    }
    case 'integer':
      return fc.integer({ min: minimum, max: maximum });
    case 'number':
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case 'boolean':
      return fc.boolean();
    case undefined:
      return fc.jsonValue();
    default:
      throw new Error(`No values for a schema of type ${type}`);
  }
};

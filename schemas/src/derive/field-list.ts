// A schema as one line for people: `orderId, total: number, deliveryPartner?{name, phone, vehicle?}`.
import type { JsonSchema } from './json-schema.ts';

/** Strings are the rule and go without a word. */
export const fieldList = (schema: JsonSchema): string => {
  const properties = propertiesOf(schema);
  return properties ? membersOf(schema, properties) : typeOf(schema) || 'string';
};

const membersOf = (schema: JsonSchema, properties: Readonly<Record<string, JsonSchema>>): string => {
  const required = new Set(Array.isArray(schema['required']) ? (schema['required'] as string[]) : []);
  return Object.entries(properties)
    .map(([name, field]) => `${name}${required.has(name) ? '' : '?'}${suffixOf(field)}`)
    .join(', ');
};

const suffixOf = (field: JsonSchema): string => {
  const properties = propertiesOf(field);
  if (properties) return `{${membersOf(field, properties)}}`;
  if (field['type'] === 'array') {
    const items = (field['items'] ?? {}) as JsonSchema;
    const inner = propertiesOf(items);
    if (inner) return `[{${membersOf(items, inner)}}]`;
    const type = typeOf(items);
    return type === '' ? '[]' : `[]: ${type}`;
  }
  const type = typeOf(field);
  return type === '' ? '' : `: ${type}`;
};

const typeOf = (schema: JsonSchema): string => {
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(alternatives))
    return (alternatives as JsonSchema[])
      .map((each) => (propertiesOf(each) ? `{${fieldList(each)}}` : typeOf(each) || 'string'))
      .join(' or ');
  if (schema['const'] !== undefined) return valueText(schema['const']);
  if (Array.isArray(schema['enum'])) return (schema['enum'] as unknown[]).map(valueText).join(' or ');
  const type = schema['type'];
  if (type === 'string') return '';
  return typeof type === 'string' ? type : 'anything';
};

const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const propertiesOf = (schema: JsonSchema): Readonly<Record<string, JsonSchema>> | undefined =>
  schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined;

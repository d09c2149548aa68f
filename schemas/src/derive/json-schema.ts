// A catalogue's schemas as JSON Schema documents (draft 2020-12), one per event type, command and call. Pure: whoever
// wants files writes them.
import type { TSchema } from 'typebox';
import type { Catalogue, EventType, Family } from '../catalogue/compile.ts';
import type { Alias } from '../catalogue/define.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface SchemaDocument {
  /** Where it belongs below the folder of schemas: `events/order.status_changed.json`. */
  readonly path: string;
  readonly schema: JsonSchema;
}

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** `name` distinguishes catalogues in `$id`s: `urn:sluice:rez:event:order.created`. */
export const jsonSchemas = (catalogue: Catalogue, name: string): readonly SchemaDocument[] => {
  const documents: SchemaDocument[] = [];
  const add = (kind: string, folder: string, title: string, schema: TSchema, about: JsonSchema): void => {
    const id = `urn:sluice:${name}:${kind}:${title}`;
    documents.push({
      path: `${folder}/${title}.json`,
      schema: { $schema: DIALECT, $id: id, title, 'x-sluice': about, ...toPlainSchema(schema) },
    });
  };
  for (const family of catalogue.families.values()) {
    for (const [short, type] of family.types)
      add('event', 'events', type.name, type.schema, aboutEvent(family, short, type));
  }
  for (const { name: title, schema, roles, offline, aliases = [] } of catalogue.commands.values())
    add('command', 'commands', title, schema, { roles, offline, ...aboutAliases(aliases) });
  for (const { name: title, request, answer, roles, timeoutMs } of catalogue.calls.values()) {
    add('request', 'calls', `${title}.request`, request, { roles, timeoutMs });
    add('answer', 'calls', `${title}.answer`, answer, {});
  }
  return documents;
};

/** Without what typebox hides in its schemas for itself. */
export const toPlainSchema = (schema: TSchema): JsonSchema => JSON.parse(JSON.stringify(schema)) as JsonSchema;

/** The subject pattern of one type; ephemeral ones pass by outside every stream. */
export const subjectOf = (family: Family, short: string, kind: EventType['kind']): string => {
  const keys = family.placeholders.map((name) => `{${name}}`);
  return [...(kind === 'ephemeral' ? ['eph'] : []), family.prefix, ...keys, short].join('.');
};

const aboutEvent = (family: Family, short: string, type: EventType): JsonSchema => ({
  kind: type.kind,
  subject: subjectOf(family, short, type.kind),
  ...(type.kind !== 'ephemeral' && { stream: family.stream }),
  ...(type.conflate && { conflatedEveryMs: type.conflate.everyMs }),
  ...(type.expires && { expiresAt: type.expires.field }),
  ...(type.ends && { ends: { field: type.ends.field, values: type.ends.values } }),
  ...aboutAliases(type.aliases),
});

/** An alias with another shape has it for apps in the field; the schema is that of the canonical one. */
const aboutAliases = (aliases: readonly Alias[]): JsonSchema =>
  aliases.length === 0
    ? {}
    : { aliases: aliases.map((alias) => ({ name: alias.name, shape: hasOwnShape(alias) ? 'its own' : 'the same' })) };

export const hasOwnShape = ({ toOld, fromOld }: Alias): boolean => toOld !== undefined || fromOld !== undefined;

// The door of what is derived from a catalogue for people and other tools; a door of its own, so that no client ships it.
export { asyncApi, type AsyncApiInfo } from './asyncapi.ts';
export { jsonSchemas, type JsonSchema, type SchemaDocument } from './json-schema.ts';
export { cataloguePage, type PageOptions } from './page.ts';

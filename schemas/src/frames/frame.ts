// What a frame is: a kind, a number on the wire, and named fields in wire order. On the wire it is the array
// [number, ...fields]; in code an object with `kind`. Optional fields come last; unknown trailing elements are ignored,
// so that a field can be added without a new version.
import type { Static, TSchema } from 'typebox';

export interface FrameDefinition<Kind extends string = string, Fields extends FieldTable = FieldTable> {
  readonly kind: Kind;
  readonly code: number;
  readonly fields: Fields;
}

export type FieldTable = Readonly<Record<string, TSchema>>;

type OptionalNames<F extends FieldTable> = { [K in keyof F]: F[K] extends { '~optional': true } ? K : never }[keyof F];

export type FrameOf<D> =
  D extends FrameDefinition<infer Kind, infer F>
    ? { readonly kind: Kind } & { readonly [K in Exclude<keyof F, OptionalNames<F>>]: Static<F[K]> } & {
        readonly [K in OptionalNames<F>]?: Static<F[K]>;
      }
    : never;

export const defineFrame = <const Kind extends string, const F extends FieldTable>(
  kind: Kind,
  code: number,
  fields: F,
): FrameDefinition<Kind, F> => ({ kind, code, fields });

/** Wire form of a frame; absent trailing fields are left out, absent inner ones become null. */
export const toWire = (definition: FrameDefinition, frame: Readonly<Record<string, unknown>>): unknown[] => {
  const wire: unknown[] = [definition.code];
  for (const name of Object.keys(definition.fields)) wire.push(frame[name] ?? null);
  while (wire.length > 1 && wire.at(-1) === null) wire.pop();
  return wire;
};

/** Object form of a wire array whose number is already known to be the definition's. Values are not checked here. */
export const fromWire = (definition: FrameDefinition, wire: readonly unknown[]): Record<string, unknown> => {
  const frame: Record<string, unknown> = { kind: definition.kind };
  let index = 1;
  for (const name of Object.keys(definition.fields)) {
    const value = wire[index++];
    if (value !== undefined && value !== null) frame[name] = value;
  }
  return frame;
};

// Untrusted wire arrays -> typed up frames. Compiled validators; used by the gateway only.
import { Type, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { fromWire, type FrameDefinition } from './frames/frame.ts';
import { UP_FRAMES, type UpFrame } from './up.ts';

/** A frame that is well formed as bytes but not one of ours: answered by `error bad_frame`, the connection goes on. */
export interface InvalidFrame {
  readonly kind: 'invalid';
  readonly id?: number;
  readonly message: string;
}

interface Parser {
  readonly definition: FrameDefinition;
  readonly validator: Validator;
}

const definitions = new Map<number, FrameDefinition>(UP_FRAMES.map((definition) => [definition.code, definition]));
/** Compiled on first use: clients import this package too and never parse what they send. */
const parsers = new Map<number, Parser>();

const parserOf = (code: number): Parser | undefined => {
  const definition = definitions.get(code);
  let parser = parsers.get(code);
  if (definition && !parser) {
    parser = { definition, validator: Compile(Type.Object(definition.fields as Record<string, TSchema>)) };
    parsers.set(code, parser);
  }
  return parser;
};

/** Never throws. */
export const parseUp = (wire: readonly unknown[]): UpFrame | InvalidFrame => {
  const parser = parserOf(wire[0] as number);
  const id = typeof wire[1] === 'number' && Number.isInteger(wire[1]) && wire[1] >= 0 ? { id: wire[1] } : {};
  if (!parser) return { kind: 'invalid', ...id, message: `unknown frame ${String(wire[0])}` };
  const frame = fromWire(parser.definition, wire);
  if (parser.validator.Check(frame)) return frame as unknown as UpFrame;
  const [fault] = parser.validator.Errors(frame);
  const where = fault?.instancePath || parser.definition.kind;
  return { kind: 'invalid', ...id, message: `${where} ${fault?.message ?? 'is not valid'}` };
};

// A client's command or call against the catalogue: is there one of this name, may this role, does the data fit. Pure;
// schemas are compiled once. What passes is plain JSON, exactly as it will be stored.
import {
  fail,
  ok,
  parseSubjectToken,
  type Actor,
  type CallDefinition,
  type Catalogue,
  type CommandDefinition,
  type ErrorCode,
  type Result,
} from '@sluice/schemas';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { Principal } from '../access/permission.ts';

export interface Fault {
  readonly code: ErrorCode;
  readonly message?: string;
  readonly retryAfterMs?: number;
}

export type JsonObject = Readonly<Record<string, unknown>>;

interface Known<D> {
  readonly definition: D;
  readonly validator: Validator;
}

export interface KnownCall extends Known<CallDefinition> {
  readonly answer: Validator;
}

export class RequestCheck {
  readonly #commands: ReadonlyMap<string, Known<CommandDefinition>>;
  readonly #calls: ReadonlyMap<string, KnownCall>;
  readonly #actorClaims: readonly string[];
  readonly #maxBytes: number;

  constructor(
    { commands, calls, actorClaims }: Pick<Catalogue, 'commands' | 'calls' | 'actorClaims'>,
    maxBytes: number,
  ) {
    this.#maxBytes = maxBytes;
    this.#commands = new Map(
      [...commands].map(([name, definition]) => [name, { definition, validator: compile(definition.schema) }]),
    );
    this.#calls = new Map(
      [...calls].map(([name, definition]) => [
        name,
        { definition, validator: compile(definition.request), answer: compile(definition.answer) },
      ]),
    );
    this.#actorClaims = actorClaims;
  }

  command(
    principal: Principal,
    name: string,
    commandId: string,
    data: JsonObject,
  ): Result<{ readonly definition: CommandDefinition; readonly data: JsonObject }, Fault> {
    const known = this.#commands.get(name);
    if (!known) return fail({ code: 'unknown_command' });
    if (!isPermitted(principal, known.definition.roles)) return fail({ code: 'forbidden' });
    if (!parseSubjectToken(commandId).ok)
      return fail({ code: 'invalid_command', message: 'the commandId is no safe subject token' });
    const fitting = this.#fit(known.validator, data);
    return fitting.ok ? ok({ definition: known.definition, data: fitting.value }) : fitting;
  }

  call(
    principal: Principal,
    name: string,
    data: JsonObject,
  ): Result<{ readonly call: KnownCall; readonly data: JsonObject }, Fault> {
    const call = this.#calls.get(name);
    if (!call) return fail({ code: 'unknown_command' });
    if (!isPermitted(principal, call.definition.roles)) return fail({ code: 'forbidden' });
    const fitting = this.#fit(call.validator, data);
    return fitting.ok ? ok({ call, data: fitting.value }) : fitting;
  }

  /** Who acts, from the verified token alone. */
  actor({ subject, role, claims }: Principal): Actor {
    const told = this.#actorClaims.filter((name) => Object.hasOwn(claims, name)).map((name) => [name, claims[name]]);
    // Last, so that no claim can pass for them.
    return { ...Object.fromEntries(told), sub: subject, role };
  }

  #fit(validator: Validator, data: JsonObject): Result<JsonObject, Fault> {
    const json = JSON.stringify(data);
    // Before anything is made of it.
    if (json.length > this.#maxBytes) return fail(tooLarge(Buffer.byteLength(json), this.#maxBytes));
    const plain = toPlainJson(json);
    if (validator.Check(plain)) return ok(plain);
    return fail({ code: 'invalid_command', message: explain(validator, plain, json.length) });
  }
}

/** Which requests are told where they do not fit. Errors are looked for in all of a value, however early the first one is. */
const MAX_EXPLAINED_BYTES = 16 * 1_024;

/** Where a value does not fit, unless that costs more than it is worth: hundreds of milliseconds for a megabyte. */
export const explain = (validator: Validator, value: unknown, bytes: number): string => {
  if (bytes > MAX_EXPLAINED_BYTES) return 'does not fit its schema';
  const [first] = validator.Errors(value);
  return `${first?.instancePath || '/'} ${first?.message ?? 'does not fit'}`;
};

export const tooLarge = (bytes: number, maxBytes: number): Fault => ({
  code: 'invalid_command',
  message: `${bytes} bytes as stored, at most ${maxBytes} are taken`,
});

const compile = (schema: TSchema): Validator => Compile(schema);

const isPermitted = ({ role }: Principal, roles: readonly string[] | 'any'): boolean =>
  roles === 'any' || roles.includes(role);

const PROTO = '__proto__';

/**
 * What a service will read: msgpack knows values that JSON does not (NaN, bytes, times), and a check of them would be of
 * something else than what is stored. A key `__proto__` is left out, which could reach into a careless reader's objects.
 */
const toPlainJson = (json: string): JsonObject => {
  const plain = JSON.parse(json) as JsonObject;
  if (json.includes(`"${PROTO}"`)) dropProto(plain);
  return plain;
};

/** In place. JSON.parse would call a reviver for each value, which takes ten times as long as to read it. */
const dropProto = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return;
  if (Object.hasOwn(value, PROTO)) delete (value as Record<string, unknown>)[PROTO];
  for (const each of Object.values(value)) dropProto(each);
};

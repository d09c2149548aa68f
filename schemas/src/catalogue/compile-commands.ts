// Commands and calls: names, who may, and the ephemeral events that some commands become.
import type { Channel, EventType, Family } from './compiled.ts';
import { propertiesOf } from './compile-families.ts';
import type { CallDefinition, CommandDefinition, EphemeralEffect, EphemeralField } from './define.ts';

/** Two or more words, so that a subject's name and the user's id cannot be mistaken for each other. */
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;
const MAX_NAME_CHARS = 100;

const checkRequest = (
  what: string,
  { name, roles }: { readonly name: string; readonly roles: readonly string[] | 'any' },
  known: ReadonlyMap<string, unknown>,
  faults: string[],
): void => {
  if (!NAME.test(name) || name.length > MAX_NAME_CHARS)
    faults.push(`${what} "${name}" is not two or more words of snake_case with dots between them`);
  if (known.has(name)) faults.push(`${what} ${name} is defined twice`);
  if (roles !== 'any' && roles.length === 0) faults.push(`${what} ${name}: nobody may send it`);
};

export const compileCalls = (definitions: readonly CallDefinition[], faults: string[]): Map<string, CallDefinition> => {
  const calls = new Map<string, CallDefinition>();
  for (const call of definitions) {
    checkRequest('call', call, calls, faults);
    if (!(Number.isInteger(call.timeoutMs) && call.timeoutMs > 0))
      faults.push(`call ${call.name}: timeoutMs is not a whole number above 0`);
    calls.set(call.name, call);
  }
  return calls;
};

export const compileCommands = (
  definitions: readonly CommandDefinition[],
  families: ReadonlyMap<string, Family>,
  channels: ReadonlyMap<string, Channel>,
  faults: string[],
): Map<string, CommandDefinition> => {
  const commands = new Map<string, CommandDefinition>();
  for (const command of definitions) {
    checkRequest('command', command, commands, faults);
    if (command.effect) {
      const add = (fault: string): number => faults.push(`command ${command.name}: ${fault}`);
      checkEffect(command, command.effect, families, channels, add);
    }
    commands.set(command.name, command);
  }
  return commands;
};

const checkEffect = (
  { schema, offline }: CommandDefinition,
  { type: typeName, channel: channelName, keys, data, atEnd = {} }: EphemeralEffect,
  families: ReadonlyMap<string, Family>,
  channels: ReadonlyMap<string, Channel>,
  add: (fault: string) => void,
): void => {
  if (offline !== 'never_queued') add('becomes an ephemeral event, which is noise when it comes late: never_queued');
  const fields = propertiesOf(schema);
  for (const value of [...Object.values(keys), ...Object.values(data)]) {
    const field = fieldOf(value);
    if (field !== undefined && !(field in fields)) add(`its effect takes the field "${field}", which it does not have`);
  }
  for (const field of Object.keys(atEnd)) {
    if (!Object.hasOwn(data, field)) add(`at the end it says "${field}", which its effect has not`);
  }

  const [familyName = '', shortName = ''] = typeName.split('.');
  const family = families.get(familyName);
  const type = family?.types.get(shortName);
  if (!family || !type) add(`becomes ${typeName}, which is not in the catalogue`);
  else if (type.kind !== 'ephemeral') add(`becomes ${typeName}, which is not ephemeral`);
  else checkTarget(family, type, keys, data, add);

  const [prefix = '', ...parts] = channelName.split(':');
  const channel = channels.get(prefix);
  if (!channel || channel.params.length !== parts.length) add(`its channel ${channelName} is not in the catalogue`);
  for (const part of parts) {
    const field = /^\{(.+)\}$/.exec(part)?.[1];
    if (field === undefined || !(field in fields)) add(`its channel takes ${part}, which is no field of it`);
  }
  const isCarried = channel?.definition.access.some(({ filters }) =>
    filters.some((one) => one.family === familyName && (one.types?.includes(shortName) ?? true)),
  );
  if (channel && type && !isCarried) add(`its channel ${channelName} does not carry ${typeName}`);
};

/** Does the effect fill what the event has? */
const checkTarget = (
  family: Family,
  { name, schema }: EventType,
  keys: EphemeralEffect['keys'],
  data: EphemeralEffect['data'],
  add: (fault: string) => void,
): void => {
  for (const placeholder of family.placeholders) {
    if (!Object.hasOwn(keys, placeholder)) add(`the subject of ${name} takes ${placeholder}, which its effect has not`);
  }
  for (const key of Object.keys(keys)) {
    if (!family.placeholders.includes(key)) add(`the subject of ${name} has no placeholder ${key}`);
  }
  const fields = propertiesOf(schema);
  for (const field of Object.keys(data)) {
    if (!(field in fields)) add(`${name} has no field ${field}`);
  }
  for (const field of (schema as { readonly required?: readonly string[] }).required ?? []) {
    if (!Object.hasOwn(data, field)) add(`${name} needs ${field}, which its effect has not`);
  }
};

const fieldOf = (value: EphemeralField): string | undefined =>
  typeof value === 'object' && 'field' in value ? value.field : undefined;

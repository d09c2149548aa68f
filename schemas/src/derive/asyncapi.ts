// A catalogue as an AsyncAPI 3 document: what clients meet at the gateway (channels, commands, calls) and what producers
// publish to NATS, from the gateway's point of view. Pure.
import type { Catalogue, Channel, Family } from '../catalogue/compile.ts';
import type { Alias } from '../catalogue/define.ts';
import { firstText, joinedText, ownerText, plainText, rolesText, typesOfChannel, whoText } from './channel-text.ts';
import { hasOwnShape, toPlainSchema, type JsonSchema } from './json-schema.ts';

export interface AsyncApiInfo {
  /** Of the catalogue: `rez`. */
  readonly name: string;
  readonly version: string;
}

type Parts = Record<string, JsonSchema>;

const SUBPROTOCOLS = ['json', 'msgpack'] as const;
// A command may be called like the event that it causes: chat.read.
const commandKey = (name: string): string => `command.${name}`;
const requestKey = (name: string): string => `call.${name}.request`;
const answerKey = (name: string): string => `call.${name}.answer`;
const ref = (...path: readonly string[]): JsonSchema => ({ $ref: `#/${path.join('/')}` });

export const asyncApi = (catalogue: Catalogue, info: AsyncApiInfo): JsonSchema => {
  const channels = [...catalogue.channels.values()];
  const families = [...catalogue.families.values()];
  return {
    asyncapi: '3.0.0',
    info: {
      title: `Sluice, catalogue ${info.name}`,
      version: info.version,
      description:
        'What the gateway sends to its clients and takes from them, and what producers publish for it to NATS. ' +
        'Message payloads are the data of frames; docs/PROTOCOL.md says how frames carry them.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: servers(),
    channels: {
      ...Object.fromEntries(channels.map((channel) => [channel.prefix, clientChannel(catalogue, channel)])),
      ...requestChannels(catalogue),
      ...Object.fromEntries(families.flatMap((family) => subjectChannels(family))),
    },
    operations: {
      ...Object.fromEntries(channels.map((channel) => [`send.${channel.prefix}`, sendOperation(channel)])),
      ...requestOperations(catalogue),
      ...Object.fromEntries(
        families.flatMap((family) => subjectChannels(family)).map(([key]) => [`receive.${key}`, receiveOperation(key)]),
      ),
    },
    components: {
      schemas: schemas(catalogue),
      messages: messages(catalogue),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'In `hello`, or as a header.' },
        nats: { type: 'userPassword', description: 'Or whatever the NATS server asks for.' },
      },
    },
  };
};

const servers = (): Parts => ({
  ...Object.fromEntries(
    SUBPROTOCOLS.map((encoding) => [
      encoding,
      {
        host: 'localhost:8080',
        protocol: 'wss',
        pathname: '/v1/ws',
        title: `WebSocket, ${encoding}`,
        description: `Subprotocol sluice.v1.${encoding}: the client offers it, the gateway confirms it.`,
        security: [ref('components', 'securitySchemes', 'token')],
        'x-subprotocol': `sluice.v1.${encoding}`,
      },
    ]),
  ),
  nats: {
    host: 'localhost:4222',
    protocol: 'nats',
    title: 'NATS JetStream',
    description: 'Where producers publish. Payloads are msgpack or JSON, whichever a producer likes.',
    security: [ref('components', 'securitySchemes', 'nats')],
  },
});

const CLIENT_SERVERS = SUBPROTOCOLS.map((encoding) => ref('servers', encoding));
const WS_BINDING = {
  ws: {
    method: 'GET',
    headers: {
      type: 'object',
      properties: {
        'Sec-WebSocket-Protocol': { type: 'string', enum: SUBPROTOCOLS.map((encoding) => `sluice.v1.${encoding}`) },
      },
    },
    bindingVersion: '0.1.0',
  },
};

const messageRefs = (names: readonly string[]): Parts =>
  Object.fromEntries(names.map((name) => [name, ref('components', 'messages', name)]));

const parameters = (names: readonly string[], description: string): { parameters?: Parts } =>
  names.length === 0 ? {} : { parameters: Object.fromEntries(names.map((name) => [name, { description }])) };

const clientChannel = (catalogue: Catalogue, channel: Channel): JsonSchema => {
  const { definition, params } = channel;
  const lines = [
    `Who: ${definition.access.map(whoText).join('; or ')}.`,
    `First: ${firstText(definition)}. Joined by itself: ${joinedText(channel)}.`,
    ownerText(channel),
    plainText(channel),
  ];
  return {
    address: definition.name,
    title: definition.name,
    description: lines.filter((line) => line !== undefined).join('\n'),
    servers: CLIENT_SERVERS,
    ...parameters(params, 'A safe subject token: not empty, at most 128 bytes, no dot, wildcard, blank or colon.'),
    messages: messageRefs(typesOfChannel(catalogue, channel)),
    bindings: WS_BINDING,
    ...(definition.rooms && { 'x-rooms': definition.rooms }),
  };
};

const requestChannels = ({ commands, calls }: Catalogue): Parts => ({
  ...(commands.size > 0 && {
    'up.commands': {
      address: null,
      description: 'Frames of the kind `command`: stored before they are acknowledged.',
      servers: CLIENT_SERVERS,
      messages: messageRefs([...commands.keys()].map(commandKey)),
    },
  }),
  ...(calls.size > 0 && {
    'up.calls': {
      address: null,
      description: 'Frames of the kind `call`: request and reply, nothing is stored.',
      servers: CLIENT_SERVERS,
      messages: messageRefs([...calls.keys()].map(requestKey)),
    },
  }),
  ...(commands.size + calls.size > 0 && {
    'down.replies': {
      address: null,
      description: 'Frames that answer one, by its id.',
      servers: CLIENT_SERVERS,
      messages: messageRefs(['ok', 'error', ...[...calls.keys()].map(answerKey)]),
    },
  }),
});

/** One for what a family's stream holds, one for what passes by. */
const subjectChannels = ({ name, prefix, placeholders, types, stream }: Family): readonly [string, JsonSchema][] => {
  const shorts = [...types].map(([short, { kind }]) => ({ short, isPassing: kind === 'ephemeral' }));
  const channel = (isPassing: boolean, lead: string, description: string): readonly [string, JsonSchema][] => {
    const carried = shorts.filter((each) => each.isPassing === isPassing).map(({ short }) => short);
    if (carried.length === 0) return [];
    const keys = placeholders.map((key) => `{${key}}`).join('.');
    return [
      [
        `nats.${lead}${name}`,
        {
          address: `${lead}${prefix}.${keys}.{type}`,
          description,
          servers: [ref('servers', 'nats')],
          parameters: {
            ...parameters(placeholders, 'A safe subject token.').parameters,
            type: { enum: carried },
          },
          messages: messageRefs(carried.map((short) => `${name}.${short}`)),
        },
      ],
    ];
  };
  return [
    ...channel(false, '', `Stored in the stream ${stream}.`),
    ...channel(true, 'eph.', 'Core NATS, outside every stream.'),
  ];
};

const sendOperation = ({ prefix, definition }: Channel): JsonSchema => ({
  action: 'send',
  title: `Events of ${definition.name}`,
  channel: ref('channels', prefix),
});

const receiveOperation = (key: string): JsonSchema => ({ action: 'receive', channel: ref('channels', key) });

const reply = (...names: readonly string[]): JsonSchema => ({
  channel: ref('channels', 'down.replies'),
  messages: names.map((name) => ref('channels', 'down.replies', 'messages', name)),
});

const requestOperations = ({ commands, calls }: Catalogue): Parts => ({
  ...Object.fromEntries(
    [...commands.values()].map(({ name, roles, offline }) => [
      `command.${name}`,
      {
        action: 'receive',
        title: name,
        description: `Who: ${rolesText(roles)}. Made offline: ${offline}.`,
        channel: ref('channels', 'up.commands'),
        messages: [ref('channels', 'up.commands', 'messages', commandKey(name))],
        reply: reply('ok', 'error'),
      },
    ]),
  ),
  ...Object.fromEntries(
    [...calls.values()].map(({ name, roles, timeoutMs }) => [
      `call.${name}`,
      {
        action: 'receive',
        title: name,
        description: `Who: ${rolesText(roles)}. Answered within ${timeoutMs} ms, or \`no_answer\`.`,
        channel: ref('channels', 'up.calls'),
        messages: [ref('channels', 'up.calls', 'messages', requestKey(name))],
        reply: reply(answerKey(name), 'error'),
      },
    ]),
  ),
});

const OK: JsonSchema = {
  type: 'object',
  description: 'A stored command: where it is, and whether it was there before.',
  properties: { sequence: { type: 'integer' }, isDuplicate: { type: 'boolean' } },
};
const ERROR: JsonSchema = {
  type: 'object',
  description: 'docs/ERRORS.md has the codes.',
  required: ['code', 'message'],
  properties: { code: { type: 'string' }, message: { type: 'string' }, retryAfterMs: { type: 'integer' } },
};

const schemas = ({ families, commands, calls }: Catalogue): Parts => ({
  ok: OK,
  error: ERROR,
  ...Object.fromEntries(
    [...families.values()].flatMap(({ types }) =>
      [...types.values()].map(({ name, schema }) => [name, toPlainSchema(schema)]),
    ),
  ),
  ...Object.fromEntries([...commands.values()].map(({ name, schema }) => [commandKey(name), toPlainSchema(schema)])),
  ...Object.fromEntries(
    [...calls.values()].flatMap(({ name, request, answer }) => [
      [requestKey(name), toPlainSchema(request)],
      [answerKey(name), toPlainSchema(answer)],
    ]),
  ),
});

const messages = ({ families, commands, calls }: Catalogue): Parts => {
  const message = (name: string, more: JsonSchema = {}): [string, JsonSchema] => [
    name,
    { name, title: name, ...more, payload: ref('components', 'schemas', name) },
  ];
  return Object.fromEntries([
    message('ok'),
    message('error'),
    ...[...families.values()].flatMap(({ types }) =>
      [...types.values()].map(({ name, kind, aliases }) => message(name, { 'x-kind': kind, ...aliasesOf(aliases) })),
    ),
    ...[...commands.values()].map(({ name, aliases }) => message(commandKey(name), aliasesOf(aliases ?? []))),
    ...[...calls.keys()].flatMap((name) => [message(requestKey(name)), message(answerKey(name))]),
  ]);
};

const aliasesOf = (aliases: readonly Alias[]): JsonSchema =>
  aliases.length === 0
    ? {}
    : { 'x-aliases': aliases.map((alias) => ({ name: alias.name, hasOwnShape: hasOwnShape(alias) })) };

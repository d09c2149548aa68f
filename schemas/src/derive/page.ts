// A catalogue as a page for people. Pure; knows Markdown, no files.
import type { Catalogue, Channel, Family } from '../catalogue/compile.ts';
import type { Alias, CommandDefinition, OfflineRule } from '../catalogue/define.ts';
import {
  carriesText,
  firstText,
  joinedText,
  ownerText,
  plainText,
  presenceText,
  rolesText,
  whoText,
} from './channel-text.ts';
import { fieldList } from './field-list.ts';
import { hasOwnShape, subjectOf, toPlainSchema } from './json-schema.ts';

export interface PageOptions {
  readonly title: string;
  /** What stands below the title: where the page comes from. */
  readonly head: string;
  /** Folder of the JSON Schemas, as a link from the page. */
  readonly schemasFolder: string;
}

type Row = readonly string[];

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: Row, rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |`).join('\n');
const code = (text: string): string => `\`${text}\``;

export const cataloguePage = (catalogue: Catalogue, options: PageOptions): string =>
  [
    `# ${options.title}`,
    options.head,
    ...familiesPart(catalogue, options),
    ...channelsPart(catalogue),
    ...commandsPart(catalogue, options),
    ...callsPart(catalogue, options),
    ...aliasesPart(catalogue),
    ...streamsPart(catalogue),
  ].join('\n\n') + '\n';

const familiesPart = ({ families }: Catalogue, { schemasFolder }: PageOptions): string[] => [
  '## Events',
  'A **state** is the newest that describes now, a **moment** happened and is not shown again later, an **ephemeral** ' +
    'event is never stored. `?` marks an optional field; fields without a type are strings; objects are open: unknown ' +
    'fields are kept. Each type links to its JSON Schema.',
  ...[...families.values()].flatMap((family) => [
    `### ${family.name}`,
    `${code(subjectOf(family, '{type}', 'state'))} in the stream ${code(family.stream)}.`,
    table(
      ['type', 'kind', 'payload', 'also called'],
      [...family.types.values()].map((type) => [
        `[${type.name}](${schemasFolder}/events/${type.name}.json)`,
        kindText(family, type.name),
        fieldList(toPlainSchema(type.schema)),
        type.aliases.map(({ name }) => code(name)).join(', '),
      ]),
    ),
  ]),
];

const kindText = ({ types, name: family }: Family, name: string): string => {
  const type = types.get(name.slice(family.length + 1))!;
  return [
    type.kind,
    ...(type.conflate ? [`at most one each ${type.conflate.everyMs} ms`] : []),
    ...(type.expires ? [`until ${type.expires.field}`] : []),
    ...(type.ends ? [`the end with ${type.ends.field} ${type.ends.values.join(' or ')}`] : []),
  ].join(', ');
};

const channelsPart = (catalogue: Catalogue): string[] => [
  '## Channels',
  'The first entry that fits a caller counts. *First* is what a new subscriber gets before what comes live: the newest ' +
    '`states`, or something else; *joined* are those whom the gateway subscribes by itself when they connect. A *grant* is ' +
    'given and taken by a service.',
  ...[...catalogue.channels.values()].flatMap((channel) => [
    `### ${code(channel.definition.name)}`,
    channelText(channel),
    table(
      ['who', 'carries'],
      channel.definition.access.map((access) => [
        whoText(access),
        access.filters.map((filter) => carriesText(catalogue, filter)).join('<br>'),
      ]),
    ),
  ]),
];

const channelText = (channel: Channel): string => {
  const rooms = channel.definition.rooms?.map(code).join(', ');
  const parts = [
    `First: ${firstText(channel.definition)}`,
    `joined: ${joinedText(channel)}`,
    `presence ${presenceText(channel)}`,
    ownerText(channel),
    plainText(channel),
    rooms && `old rooms: ${rooms}`,
  ];
  return `${parts.filter(Boolean).join('; ')}.`;
};

const OFFLINE: Readonly<Record<OfflineRule, string>> = {
  commutative: 'commutative: applied, whenever it comes',
  last_wins: 'the last one wins',
  rejected_with_state: 'rejected with the current state, where that has moved on',
  never_queued: 'never queued',
};

const commandsPart = ({ commands }: Catalogue, { schemasFolder }: PageOptions): string[] =>
  commands.size === 0
    ? []
    : [
        '## Commands',
        'Stored before they are acknowledged, and applied once by (user, name, command id). Who acts comes from the token, ' +
          'ids and timestamps from the service. *Offline* is the rule for an edit that was made offline and comes late.',
        table(
          ['command', 'who', 'data', 'offline', 'also called'],
          [...commands.values()].map((command) => [
            `[${command.name}](${schemasFolder}/commands/${command.name}.json)`,
            rolesText(command.roles),
            fieldList(toPlainSchema(command.schema)),
            offlineText(command),
            (command.aliases ?? []).map(({ name }) => code(name)).join(', '),
          ]),
        ),
      ];

const offlineText = ({ offline, effect }: CommandDefinition): string =>
  effect ? `${OFFLINE[offline]}; becomes ${effect.type} on ${effect.channel}` : OFFLINE[offline];

const callsPart = ({ calls }: Catalogue, { schemasFolder }: PageOptions): string[] =>
  calls.size === 0
    ? []
    : [
        '## Calls',
        'Request and reply with a service; nothing is stored.',
        table(
          ['call', 'who', 'request', 'answer', 'patience'],
          [...calls.values()].map(({ name, roles, request, answer, timeoutMs }) => [
            `[${name}](${schemasFolder}/calls/${name}.request.json)`,
            rolesText(roles),
            fieldList(toPlainSchema(request)),
            fieldList(toPlainSchema(answer)),
            `${timeoutMs} ms`,
          ]),
        ),
      ];

const aliasesPart = ({ families, commands, channels }: Catalogue): string[] => {
  const rows = (canonical: string, aliases: readonly Alias[]): Row[] =>
    aliases.map((alias) => [
      code(alias.name),
      canonical,
      hasOwnShape(alias) ? 'its own, mapped both ways' : 'the same',
    ]);
  const all = [
    ...[...families.values()].flatMap(({ types }) =>
      [...types.values()].flatMap(({ name, aliases }) => rows(name, aliases)),
    ),
    ...[...commands.values()].flatMap(({ name, aliases }) => rows(name, aliases ?? [])),
    ...[...channels.values()].flatMap(({ definition }) =>
      (definition.rooms ?? []).map((room) => [code(room), `the channel ${code(definition.name)}`, '']),
    ),
  ];
  if (all.length === 0) return [];
  return [
    '## Old names',
    'What apps already in the field say. They are no names of the protocol: whoever serves such an app maps them.',
    table(['old', 'canonical', 'shape'], all),
  ];
};

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

const streamsPart = ({ streams }: Catalogue): string[] => [
  '## Streams',
  'Those of the events. What the gateway keeps beside them (commands, grants, presence) is no part of a catalogue; ' +
    '`sluice streams apply` makes all of them.',
  table(
    ['stream', 'subjects', 'kept for', 'at most'],
    streams.map(({ name, subjects, maxAgeMs, maxBytes }) => [
      code(name),
      subjects.map(code).join(', '),
      maxAgeMs % DAY_MS === 0 ? `${maxAgeMs / DAY_MS} days` : `${maxAgeMs / HOUR_MS} hours`,
      maxBytes === undefined ? 'what the disk holds' : `${maxBytes} bytes`,
    ]),
  ),
];

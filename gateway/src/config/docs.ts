// docs/CONFIGURATION.md, from the table. A test keeps the file fresh.
import { toEnvName } from '../config.ts';
import { OPTIONS } from './table.ts';
import { group, type Option } from './values.ts';

const HEAD = `# Configuration of the gateway

<!-- Generated from gateway/src/config: change it there, then run \`npx vitest run --project unit gateway/src/config -u\`. -->

Every option has a default, unless it says otherwise. It can be set in two places; the environment wins:

- an environment variable, such as \`SLUICE_PORT=9000\`. An empty variable counts as absent. Lists are separated by commas,
  underscores in numbers are ignored;
- a JSON file that \`SLUICE_CONFIG\` names, by the option's name: \`{ "port": 9000, "tokenIssuer": ["https://id.example"] }\`.

The gateway checks everything before it listens and names all faults at once: values that do not fit, options that
contradict each other, files that cannot be read, and \`SLUICE_\` variables or keys of the file that are no options (a slip
of the pen must not silently mean the default). Secrets appear neither in faults nor in logs.

Exactly one source of keys for tokens must be given: there is no default.
`;

export const configurationPage = (): string => {
  const sections = new Map<string, string[]>();
  for (const [name, option] of Object.entries<Option<unknown>>(OPTIONS)) {
    const rows = sections.get(option.section) ?? [];
    sections.set(option.section, rows);
    const cells = [
      `\`${toEnvName(name)}\`<br>\`${name}\``,
      option.accepts.replaceAll('|', '\\|'),
      defaultOf(option),
      option.help.replaceAll('|', '\\|'),
    ];
    rows.push(`| ${cells.join(' | ')} |`);
  }
  const tables = [...sections].map(([section, rows]) =>
    [`## ${section}`, '', '| Option | Accepts | Default | Meaning |', '|---|---|---|---|', ...rows, ''].join('\n'),
  );
  return [HEAD, ...tables].join('\n');
};

const defaultOf = ({ default: value }: Option<unknown>): string => {
  const texts = (Array.isArray(value) ? value : [value]).filter((each) => each !== undefined);
  return texts.map((each: unknown) => `\`${typeof each === 'number' ? group(each) : String(each)}\``).join(', ');
};

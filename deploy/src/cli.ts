// The sluice command: finds the subcommand and turns its faults into a message and an exit code.

import { COMMANDS } from './commands/command.ts';
import { DeployError } from './errors.ts';

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    console.log(helpText());
    return 0;
  }
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry === undefined) {
    console.error(`sluice: there is no command '${name}'.\n\n${helpText()}`);
    return 2;
  }
  try {
    const command = await entry.load();
    return await command.run(args);
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    console.error(error.message);
    return error.code === 'bad_arguments' ? 2 : 1;
  }
}

function helpText(): string {
  const width = Math.max(...COMMANDS.map(({ usage }) => usage.length));
  const lines = COMMANDS.map(({ usage, summary }) => `  ${usage.padEnd(width)}   ${summary}`);
  return ['Usage: npx sluice <command>', '', ...lines, '', '`npm start` runs the stack that they talk to.'].join('\n');
}

// What a subcommand of `sluice` is, and the table of them. A new one is a line here and a file beside this one.

export interface Command {
  /** Runs it; the number is the exit code. Faults that people can do something about are thrown as DeployErrors. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

export interface CommandEntry {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Loaded when it is used, so that no command pays for another one's dependencies. */
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'tail',
    usage: 'tail <channel> [--cut 5s] [--since 10m] [--json]',
    summary: 'what happens on a channel, as it happens; --help says more',
    load: async () => ({ run: (await import('./tail.ts')).runTail }),
  },
  {
    name: 'nats',
    usage: 'nats <arguments>',
    summary: 'the real nats CLI, against the local stack',
    load: async () => ({ run: (await import('./nats.ts')).runNats }),
  },
  {
    name: 'token',
    usage: 'token --sub <id> [--role <role>] [--merchant <id>]...',
    summary: 'a development token for the local stack',
    load: async () => ({ run: (await import('./token.ts')).runToken }),
  },
  {
    name: 'catalogue',
    usage: 'catalogue check|list [module]',
    summary: 'is a catalogue sound, and what is in it?',
    load: async () => ({ run: (await import('./catalogue.ts')).runCatalogue }),
  },
  {
    name: 'streams',
    usage: 'streams apply [--catalogue <module>] [--dry-run | --yes]',
    summary: 'brings the streams to what a catalogue wants; shows the differences first',
    load: async () => ({ run: (await import('./streams.ts')).runStreams }),
  },
];

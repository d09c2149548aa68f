// What tests of commands and calls start from: a gateway with the catalogue of notes.
import type { StreamConfig } from '@nats-io/jetstream';
import { createNoteStreams, NOTES_ENV } from './notes.ts';
import { test as base } from './two-gateways.ts';

export interface NotesFixtures {
  commandStream: Partial<StreamConfig>;
}

export const test = base.extend<NotesFixtures>({ commandStream: {} }).override({
  gatewayEnv: NOTES_ENV,
  connection: async ({ nats, commandStream }, use) => {
    await using connection = await nats.connect();
    await createNoteStreams(connection, { commands: commandStream });
    await use(connection);
  },
});

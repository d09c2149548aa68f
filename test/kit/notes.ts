// The catalogue of notes: its streams, what was stored of its commands, and how to send one. Knows no test runner.
import { jetstream, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { fileURLToPath } from 'node:url';
import { streamConfigsOf } from '@sluice/producers';
import {
  type Catalogue,
  type CatalogueDefinition,
  COMMAND_STREAM,
  type ErrorFrame,
  mustCompileCatalogue,
  type OkReply,
} from '@sluice/schemas';
import type { FrameClient } from './frame-client.ts';

/** For `SLUICE_CATALOGUE`. */
export const NOTES_MODULE = fileURLToPath(new URL('notes-catalogue.mjs', import.meta.url).href.replace('/dist/', '/'));
export const NOTES_ENV = { SLUICE_CATALOGUE: NOTES_MODULE };

export const notesCatalogue = async (): Promise<Catalogue> => {
  const module = (await import(NOTES_MODULE)) as { catalogue: CatalogueDefinition };
  return mustCompileCatalogue(module.catalogue);
};

/** The streams of the catalogue, the one of commands with these changes. */
export const createNoteStreams = async (
  connection: NatsConnection,
  { replicas = 1, commands = {} }: { replicas?: number; commands?: Partial<StreamConfig> } = {},
): Promise<void> => {
  const manager = await jetstreamManager(connection);
  for (const config of streamConfigsOf(await notesCatalogue(), { replicas })) {
    await manager.streams.add(config.name === COMMAND_STREAM.name ? { ...config, ...commands } : config);
  }
};

export interface StoredCommand {
  subject: string;
  sequence: number;
  /** Names of the headers that it was stored with. */
  headers: string[];
  envelope: Record<string, unknown>;
}

/** Everything that the stream of commands holds. */
export const storedCommands = async (connection: NatsConnection): Promise<StoredCommand[]> => {
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(COMMAND_STREAM.name);
  const found: StoredCommand[] = [];
  for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(COMMAND_STREAM.name, { seq });
    if (!message) continue;
    found.push({
      subject: message.subject,
      sequence: message.seq,
      headers: message.header ? [...message.header.keys()] : [],
      envelope: message.json(),
    });
  }
  return found;
};

export interface CommandRequest {
  name?: string;
  data?: Record<string, unknown>;
  commandId: string;
}

/** Sends one and waits for its answer. */
export const sendCommand = async (
  client: FrameClient,
  { name = 'note.add', data = { text: 'hello' }, commandId }: CommandRequest,
): Promise<OkReply | ErrorFrame> => {
  const id = client.nextId();
  client.send({ kind: 'command', id, commandId, name, data });
  return await answerTo(client, id);
};

export const answerTo = async (client: FrameClient, id: number): Promise<OkReply | ErrorFrame> =>
  await Promise.race([
    client.next('ok', (frame) => frame.id === id, 20_000),
    client.next('error', (frame) => frame.id === id, 20_000),
  ]);

/** Resolves once the stream has forgotten the ids of what it has stored up to now: its duplicate window has passed. */
export const duplicateWindowOver = async (connection: NatsConnection, subject: string): Promise<void> => {
  const js = jetstream(connection);
  const msgID = `probe-${subject}`;
  await js.publish(`${subject}.first`, '{}', { msgID });
  for (let i = 0; ; i++) {
    const { duplicate } = await js.publish(`${subject}.again-${i}`, '{}', { msgID });
    if (!duplicate) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

// What both doors share: the two ways to make a client, over the transport that the platform has.
import { SluiceClient } from './client.ts';
import type { CallTypes, Client, CommandTypes } from './contract.ts';
import type { EventTypes } from './events.ts';
import { toReadyOptions, type ClientOptions } from './options.ts';
import type { Transport } from './transports/transport.ts';

/** A client that is not connected yet. Throws `invalid_url`. */
export type CreateClient = <
  Events extends EventTypes = Record<string, unknown>,
  Commands extends CommandTypes = Record<string, Readonly<Record<string, unknown>>>,
  Calls extends CallTypes = Record<string, { request: Readonly<Record<string, unknown>>; answer: unknown }>,
>(
  options: ClientOptions,
) => Client<Events, Commands, Calls>;

/** A client that is connected; rejects with a ClientError if that takes more than all attempts. */
export type Connect = <
  Events extends EventTypes = Record<string, unknown>,
  Commands extends CommandTypes = Record<string, Readonly<Record<string, unknown>>>,
  Calls extends CallTypes = Record<string, { request: Readonly<Record<string, unknown>>; answer: unknown }>,
>(
  options: ClientOptions,
) => Promise<Client<Events, Commands, Calls>>;

export const createClientOver =
  (transport: () => Transport): CreateClient =>
  (options) =>
    new SluiceClient(toReadyOptions(options, transport));

export const connectBy =
  (createClient: CreateClient): Connect =>
  async <Events extends EventTypes, Commands extends CommandTypes, Calls extends CallTypes>(options: ClientOptions) => {
    const client = createClient<Events, Commands, Calls>(options);
    client.connect();
    await client.connected();
    return client;
  };

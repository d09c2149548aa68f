// A client over a scripted gateway, with what tests look at.
import type { DownFrame } from '@sluice/schemas';
import type { Client } from './contract.ts';
import { createClientOver } from './door.ts';
import type { ClientOptions } from './options.ts';
import { ManualClock, ScriptedGateway } from './scripted.fixture.ts';
import type { ConnectionState } from './state.ts';

interface SetUp {
  readonly gateway: ScriptedGateway;
  readonly clock: ManualClock;
  readonly client: Client;
  readonly states: ConnectionState[];
  readonly errors: string[];
}

export const setUp = (options: Partial<ClientOptions> = {}): SetUp => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const client = createClientOver(() => gateway.transport)({
    url: 'ws://gateway.test:8080',
    token: 'token-1',
    clock,
    random: () => 0.5,
    ...options,
  });
  const states: ConnectionState[] = [];
  const errors: string[] = [];
  client.on('state', (state) => states.push(state));
  client.on('error', (error) => errors.push(error.code));
  return { gateway, clock, client, states, errors };
};

/** Lets promises of token callbacks settle; no time passes. */
export const settle = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

export const refused = (id: number, code: string, retryAfterMs?: number): DownFrame => ({
  kind: 'error',
  code,
  message: code,
  id,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

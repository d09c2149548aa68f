// Waiting for a connection as a promise, over nothing but the public states.
import type { Client } from './contract.ts';
import { ClientError } from './errors.ts';
import type { ConnectionState } from './state.ts';

export const whenConnected = (client: Pick<Client, 'state' | 'on'>): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (state: ConnectionState): boolean => {
      if (state.kind === 'connected') resolve();
      else if (state.kind === 'failed') reject(new ClientError(state.code));
      else return false;
      return true;
    };
    if (settle(client.state)) return;
    const stop = client.on('state', (state) => {
      if (state.kind === 'disconnected') reject(new ClientError('connection_closed'));
      if (settle(state) || state.kind === 'disconnected') stop();
    });
  });

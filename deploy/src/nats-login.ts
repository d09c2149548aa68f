// How a tool proves to NATS who it is: by the gateway's own settings.

import { readFile } from 'node:fs/promises';
import { credsAuthenticator, type NodeConnectionOptions } from '@nats-io/transport-node';

type Login = Pick<NodeConnectionOptions, 'user' | 'pass' | 'token' | 'authenticator' | 'tls'>;

export async function natsLogin(env: NodeJS.ProcessEnv): Promise<Partial<Login>> {
  const setting = (name: string): string | undefined => env[`SLUICE_NATS_${name}`] || undefined;
  const [user, pass, token, credsFile] = ['USER', 'PASSWORD', 'TOKEN', 'CREDS_FILE'].map(setting);
  const [caFile, certFile, keyFile] = ['TLS_CA_FILE', 'TLS_CERT_FILE', 'TLS_KEY_FILE'].map(setting);
  const tls = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  return {
    ...(user && { user }),
    ...(pass && { pass }),
    ...(token && { token }),
    ...(credsFile && { authenticator: credsAuthenticator(new Uint8Array(await readFile(credsFile))) }),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
}

// How a pod proves to NATS who it is: configuration -> connection options.
import { credsAuthenticator } from '@nats-io/transport-node';
import type { Config } from '../config.ts';
import type { NatsOptions } from './nats.ts';

type Login = Pick<NatsOptions, 'user' | 'password' | 'token' | 'authenticator' | 'tls'>;

export const natsLogin = (config: Config): Partial<Login> => {
  const { natsTlsCaFile: caFile, natsTlsCertFile: certFile, natsTlsKeyFile: keyFile } = config;
  const tls = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  return {
    ...(config.natsUser !== undefined && { user: config.natsUser }),
    ...(config.natsPassword !== undefined && { password: config.natsPassword }),
    ...(config.natsToken !== undefined && { token: config.natsToken }),
    ...(config.natsCreds !== undefined && {
      authenticator: credsAuthenticator(new TextEncoder().encode(config.natsCreds)),
    }),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
};

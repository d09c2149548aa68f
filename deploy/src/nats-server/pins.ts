// What is pinned: versions, addresses and names of the published files. A test holds them against deploy/nats/tools/go.mod.

export const NATS_SERVER_VERSION = '2.15.2';
export const NATS_CLI_VERSION = '0.4.0';

/** From here on a server answers batched direct gets, which cold reads want. */
export const BATCHED_GETS_SINCE = '2.11.0';
/** Below this JetStream lacks what even the fallback needs. */
export const OLDEST_USABLE = '2.9.0';

export const SERVER_MODULE = 'github.com/nats-io/nats-server/v2';
export const CLI_MODULE = 'github.com/nats-io/natscli/nats';

export interface Release {
  /** The program, which is also the file's name inside the archive. */
  readonly program: 'nats-server' | 'nats';
  readonly version: string;
  /** The folder that holds the archives and SHA256SUMS; `addressSetting` overrides it. */
  readonly address: string;
  readonly addressSetting: string;
  readonly archive: (platform: string) => string;
}

export const SERVER_RELEASE: Release = {
  program: 'nats-server',
  version: NATS_SERVER_VERSION,
  address: `https://github.com/nats-io/nats-server/releases/download/v${NATS_SERVER_VERSION}`,
  addressSetting: 'SLUICE_NATS_ARCHIVE_URL',
  archive: (platform) => `nats-server-v${NATS_SERVER_VERSION}-${platform}.tar.gz`,
};

export const CLI_RELEASE: Release = {
  program: 'nats',
  version: NATS_CLI_VERSION,
  address: `https://github.com/nats-io/natscli/releases/download/v${NATS_CLI_VERSION}`,
  addressSetting: 'SLUICE_NATS_CLI_ARCHIVE_URL',
  archive: (platform) => `nats-${NATS_CLI_VERSION}-${platform}.zip`,
};

/** The official image is this one static binary; `SLUICE_NATS_IMAGE` overrides it. */
export const SERVER_IMAGE: string = `docker.io/library/nats:${NATS_SERVER_VERSION}`;

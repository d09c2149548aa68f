// The one table of options. docs/CONFIGURATION.md is generated from it; config.ts reads it.
import { NETWORK, type NetworkOptions } from './network.ts';
import { REQUESTS, type RequestOptions } from './requests.ts';
import { SERVING, type ServingOptions } from './serving.ts';
import type { Option } from './values.ts';

export interface Options extends NetworkOptions, ServingOptions, RequestOptions {}

export const OPTIONS: { readonly [K in keyof Options]: Option<Options[K]> } = { ...NETWORK, ...SERVING, ...REQUESTS };

/** Variables that other parts of the project read: the gateway neither knows nor refuses them. */
export const FOREIGN_VARIABLES: readonly string[] = [
  'SLUICE_CONFIG',
  'SLUICE_TEST_',
  'SLUICE_BENCH_',
  'SLUICE_CACHE_DIR',
  'SLUICE_NATS_ARCHIVE_URL',
  'SLUICE_NATS_CLI_ARCHIVE_URL',
  'SLUICE_NATS_IMAGE',
  'SLUICE_DEPLOY_',
];

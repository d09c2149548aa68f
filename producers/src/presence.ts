// The bucket in which gateways keep who is online. Only gateways write it; it is created beside the catalogue's streams.
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { PRESENCE_BUCKET, PRESENCE_MAX_AGE_MS } from '@sluice/schemas';
import type { StreamOptions, Wanted } from './streams.ts';

const NS_PER_MS = 1_000_000;
const DUPLICATE_WINDOW_MS = 120_000;

/** One value per key; removed ones leave a marker that ends by itself (server 2.11), everything else by its age. */
export const toPresenceBucketConfig = (options: StreamOptions = {}): Wanted => {
  const { presenceBucket = PRESENCE_BUCKET, replicas = 1 } = options;
  return {
    name: `KV_${presenceBucket}`,
    subjects: [`$KV.${presenceBucket}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_age: PRESENCE_MAX_AGE_MS * NS_PER_MS,
    duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_msg_ttl: true,
    num_replicas: replicas,
  };
};

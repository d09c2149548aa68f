// The stream of the grants: checked at boot, tailed by an ordered reader, and read from its leader key by key. A key-value
// bucket is a stream; what ends a grant (delete, purge, expiry marker) is a message like any other.
import { GrantBook } from '../access/grants.ts';
import type { Clock } from '../operations/clock.ts';
import { bucketFaults, bucketStream, checkBucket, type BucketCheck } from './bucket.ts';
import { number, readFromLeader } from './jetstream-api.ts';
import type { DoubtCause, LogSink } from './log-sink.ts';
import { isDeleteMarker } from './message-bytes.ts';
import type { Nats } from './nats.ts';
import { createReader, type Reader } from './reader.ts';
import type { StoredAt } from './continuity.ts';

export interface GrantLogOptions {
  readonly bucket: string;
  readonly nats: Nats;
  readonly clock: Clock;
  readonly onFault: (error: unknown, where: string) => void;
  readonly onGeneration: (stream: string, cause: 'new_stream' | 'rolled_back') => void;
  readonly onDoubt: (stream: string, cause: DoubtCause) => void;
}

export interface GrantLog {
  readonly grants: GrantBook;
  readonly reader: Reader;
  stop(): Promise<void>;
}

const READ_TIMEOUT_MS = 2_000;
/** The leader is read every second; an isolated server sends healthy heartbeats, and knows nothing of a revocation. */
const MAX_LEADER_AGE_MS = 4_000;
/** Only what is stored from now on matters: the rest is read when it is needed. */
const START_MS = 0;
const MAX_BACKFILL_BYTES = 64 * 1_024;
/** Newest messages, by which the reader knows the stream again. */
const MAX_HELD = 64;
const NOTHING = new Uint8Array(0);

/** Throws streams_unfit if grants could not be relied on. */
export const checkGrantStream = async (nats: Nats, bucket: string): Promise<void> => {
  await checkBucket(nats.requests, { bucket, purpose: 'grants', timeoutMs: READ_TIMEOUT_MS, judge: grantFaultsOf });
};

/** Pure. What would end grants without a message that tells so, or keep readers out. */
const grantFaultsOf: BucketCheck['judge'] = (stream, bucket, config) => {
  const { faults, add } = bucketFaults(stream, bucket, config);
  const doesExpire = number(config['max_age']) > 0 || config['allow_msg_ttl'] === true;
  if (doesExpire && number(config['subject_delete_marker_ttl']) === 0)
    add('stream_silent_expiry', 'grants expire without a marker; set subject_delete_marker_ttl');
  return faults;
};

/** Call `reader.start()` before the first grant is asked for. */
export const createGrantLog = (options: GrantLogOptions): GrantLog => {
  const { bucket, nats, clock, onFault, onGeneration, onDoubt } = options;
  const stream = bucketStream(bucket);
  const prefix = `$KV.${bucket}.`;
  const grants = new GrantBook({
    clock,
    onFault,
    source: {
      isCurrent: () => {
        const { state, leaderReadMs } = reader.status();
        return state === 'reading' && clock.now() - leaderReadMs <= MAX_LEADER_AGE_MS;
      },
      firstSequence: () => reader.status().leaderFirstSequence,
      read: async (grant) => {
        const message = await readFromLeader(
          nats.requests,
          stream,
          { last_by_subj: `${prefix}${grant}` },
          READ_TIMEOUT_MS,
        );
        if (!message) return undefined;
        const { sequence, headers, payload } = message;
        return { sequence, value: isDeleteMarker(headers) ? NOTHING : payload };
      },
    },
  });
  const reader = createReader({
    stream,
    nats,
    clock,
    sink: createGrantSink({
      began: (cause) => {
        if (cause === 'boot') return;
        onGeneration(stream, cause);
        grants.began();
      },
      changed: (subject, sequence, value) => {
        if (subject.startsWith(prefix)) grants.changed(subject.slice(prefix.length), sequence, value);
      },
    }),
    startMs: START_MS,
    maxBackfillBytes: MAX_BACKFILL_BYTES,
    onDoubt,
  });
  return {
    grants,
    reader,
    stop: async () => {
      grants.close();
      await reader.stop();
    },
  };
};

const createGrantSink = (to: {
  readonly began: (cause: 'boot' | 'new_stream' | 'rolled_back') => void;
  readonly changed: (subject: string, sequence: number, value: Uint8Array) => void;
}): LogSink => {
  let held: StoredAt[] = [];
  const keep = (sequence: number, timeMs: number): void => {
    held.push({ sequence, timeMs });
    if (held.length > 2 * MAX_HELD) held = held.slice(-MAX_HELD);
  };
  return {
    begin: (_, __, cause) => {
      held = [];
      to.began(cause);
    },
    append: (sequence, timeMs, subject, payload) => {
      keep(sequence, timeMs);
      to.changed(subject, sequence, payload);
    },
    skip: (sequence, timeMs, subject) => {
      keep(sequence, timeMs);
      to.changed(subject, sequence, NOTHING);
    },
    newestBelow: (sequence) => held.findLast((each) => each.sequence < sequence),
  };
};

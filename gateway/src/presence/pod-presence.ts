// Presence as one part of the pod: who is online (events), and who is on a channel (questions). Composed here, so that the
// composition root has one thing to start and to stop.
import { randomBytes } from 'node:crypto';
import type { Catalogue } from '@sluice/schemas';
import { bucketFaults, checkBucket, type BucketCheck } from '../log/bucket.ts';
import { number } from '../log/jetstream-api.ts';
import type { LogSink } from '../log/log-sink.ts';
import type { NatsLink } from '../log/nats.ts';
import type { Clock } from '../operations/clock.ts';
import { throttleLog, type Logger } from '../operations/log.ts';
import { ChannelMembers } from './channel-members.ts';
import { ChannelPresence } from './channel-presence.ts';
import { KvStore } from './kv-store.ts';
import { answerQuestions, createRoundup, questionSubject } from './nats-roundup.ts';
import { Presence, type PresenceNotice } from './presence.ts';

export interface PodPresenceOptions {
  readonly catalogue: Catalogue;
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bucket: string;
  readonly lingerMs: number;
  readonly leaseMs: number;
  readonly deadAfterMs: number;
}

export interface PodPresence {
  readonly users: Presence;
  readonly channels: ChannelPresence;
  /** The sink of the stream that keeps the transitions sees them go by; others are returned as they are. */
  watch(stream: string, sink: LogSink): LogSink;
  start(): Promise<void>;
  /** After the last connection has closed. Waits for the linger of those users and for what is to be told then, not longer. */
  stop(timeoutMs: number): Promise<void>;
}

const READ_TIMEOUT_MS = 5_000;
const NS_PER_MS = 1_000_000;
/** Without an age limit of the bucket nothing has to be written again. */
const NEVER_MS = Number.POSITIVE_INFINITY;
/** Beyond the linger; what is not told by then is left to other pods. */
const STOP_TIMEOUT_MS = 5_000;

/** Throws streams_unfit if the bucket cannot keep who is here. */
export const createPodPresence = async (options: PodPresenceOptions): Promise<PodPresence> => {
  const { catalogue, link, clock, log, bucket, lingerMs, leaseMs, deadAfterMs } = options;
  const { hasTtl, maxAgeMs } = await readBucket(link, bucket);
  // Without NATS every user's task fails, again and again.
  const logTrouble = throttleLog(log, 'warn', { perSecond: 0.2, burst: 3 }, clock);
  const transitions = catalogue.presence;
  const store = new KvStore({ link, clock, bucket, hasTtl, deadAfterMs, ...(transitions && { transitions }) });
  const users = new Presence({
    store,
    clock,
    newPodId: () => randomBytes(9).toString('base64url'),
    lingerMs,
    leaseMs,
    deadAfterMs,
    renewMs: maxAgeMs === 0 ? NEVER_MS : maxAgeMs / 3,
    onNotice: (notice) =>
      notice.kind === 'trouble' ? logTrouble(toFields(notice), 'presence has to wait') : logNotice(log, notice),
  });
  const channels = new ChannelPresence({
    local: new ChannelMembers(),
    roundup: createRoundup(link, questionSubject(bucket)),
    clock,
    podId: randomBytes(9).toString('base64url'),
    alivePods: () => users.alivePods,
    modeOf: (channel) => catalogue.channels.get(channel.split(':', 1)[0]!)?.definition.presence,
  });
  let stopAnswering = (): void => {};
  return {
    users,
    channels,
    watch: (stream, sink) => {
      if (transitions?.stream !== stream) return sink;
      const head = `${transitions.prefix}.`;
      const end = `.${transitions.offline}`;
      return {
        begin: (...about) => sink.begin(...about),
        append: (sequence, timeMs, subject, ...rest) => {
          sink.append(sequence, timeMs, subject, ...rest);
          if (subject.endsWith(end) && subject.startsWith(head)) {
            users.sawOffline(subject.slice(head.length, -end.length));
          }
        },
        skip: (...about) => sink.skip(...about),
        newestBelow: (sequence) => sink.newestBelow(sequence),
      };
    },
    start: () => {
      stopAnswering = answerQuestions(link, questionSubject(bucket), (question) => channels.answer(question));
      return users.start();
    },
    stop: async (timeoutMs) => {
      await users.stop(Math.min(timeoutMs, lingerMs + STOP_TIMEOUT_MS));
      stopAnswering();
      store.close();
    },
  };
};

const toFields = ({ error, during }: Extract<PresenceNotice, { kind: 'trouble' }>): Record<string, unknown> => ({
  err: error,
  during,
});

const logNotice = (log: Logger, notice: Exclude<PresenceNotice, { kind: 'trouble' }>): void => {
  if (notice.kind === 'pod_declared_dead') log.warn(notice, 'a pod is dead: telling who went with it');
  else log.warn(notice, 'declared dead by another pod: writing everything again');
};

interface Bucket {
  readonly hasTtl: boolean;
  /** 0: for ever. */
  readonly maxAgeMs: number;
}

const readBucket = async (link: NatsLink, bucket: string): Promise<Bucket> => {
  const check = { bucket, purpose: 'presence', timeoutMs: READ_TIMEOUT_MS, judge: bucketFaultsOf } as const;
  const config = await checkBucket(link, check);
  return { hasTtl: config['allow_msg_ttl'] === true, maxAgeMs: number(config['max_age']) / NS_PER_MS };
};

/** Pure. What would lose entries, or keep all that ever were. */
export const bucketFaultsOf: BucketCheck['judge'] = (stream, bucket, config) => {
  const { faults, add } = bucketFaults(stream, bucket, config);
  if (config['allow_direct'] !== true) add('stream_no_direct', 'allow_direct is off; leases are listed by direct gets');
  if (number(config['max_msgs_per_subject']) !== 1) {
    add('stream_repeats', 'max_msgs_per_subject must be 1; a lease is written every few seconds');
  }
  return faults;
};

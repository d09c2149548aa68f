// A key-value bucket, which is a stream of one message per key: what every bucket that a pod rests on has to be.
import { readStream, type StreamReading } from './jetstream-api.ts';
import type { NatsLink } from './nats.ts';
import { faultList, readFault, retentionOf, subjectsOf, unfit, type FaultList, type StreamFault } from './streams.ts';

export const bucketStream = (bucket: string): string => `KV_${bucket}`;

export interface BucketCheck {
  readonly bucket: string;
  /** For the message where there is no such bucket. */
  readonly purpose: 'grants' | 'presence';
  readonly timeoutMs: number;
  readonly judge: (stream: string, bucket: string, config: StreamReading['config']) => readonly StreamFault[];
}

/** The bucket's configuration. Throws streams_unfit, with details.faults naming every fault. */
export const checkBucket = async (link: NatsLink, check: BucketCheck): Promise<StreamReading['config']> => {
  const { bucket, purpose, timeoutMs, judge } = check;
  const stream = bucketStream(bucket);
  let config: StreamReading['config'];
  try {
    ({ config } = await readStream(link, stream, timeoutMs));
  } catch (error) {
    throw unfit([readFault(stream, error, `stream ${stream} (bucket ${bucket} of ${purpose})`)]);
  }
  const faults = judge(stream, bucket, config);
  if (faults.length > 0) throw unfit(faults);
  return config;
};

/** What is wrong with any bucket, for the judge of one to go on from. */
export const bucketFaults = (stream: string, bucket: string, config: StreamReading['config']): FaultList => {
  const list = faultList(stream);
  const subject = `$KV.${bucket}.>`;
  if (!subjectsOf(config).includes(subject)) list.add('stream_missing', `does not hold the subjects ${subject}`);
  const retention = retentionOf(config);
  if (retention !== 'limits') list.add('stream_retention', `retention is "${retention}", not "limits"`);
  return list;
};

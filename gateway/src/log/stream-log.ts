// One stream of the pod: what its reader tells goes into its tail and from there to the channels.
import type { Channels } from '../delivery/channels.ts';
import type { LogSink } from './log-sink.ts';
import type { Tail } from './tail.ts';

export interface StreamLogOptions {
  readonly tail: Tail;
  readonly channels: Channels;
  /** The stream turned out to be another one: the tail is empty, everybody who reads it must be reset. */
  readonly onGeneration: (tail: Tail, cause: 'new_stream' | 'rolled_back') => void;
}

/** The sink of a stream's reader. */
export const createStreamLog = ({ tail, channels, onGeneration }: StreamLogOptions): LogSink => ({
  begin: (identity, firstSequence, cause) => {
    // What is pending was stored in the old generation, before it was lost: its readers still get it, then the reset.
    for (const channel of channels.of(tail)) channels.flush(channel);
    tail.begin(identity.epoch, firstSequence);
    if (cause !== 'boot') onGeneration(tail, cause);
  },
  append: (sequence, timeMs, subject, payload, expiresAtMs) => {
    const segment = tail.append(sequence, timeMs, subject, payload, expiresAtMs);
    channels.publish(tail, segment, segment.count - 1);
  },
  skip: (sequence, timeMs) => tail.skip(sequence, timeMs),
  newestBelow: (sequence) => tail.newestBelow(sequence),
});

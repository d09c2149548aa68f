// What a reader of the gateway tells about one stream, recorded and checked against the order it promises.
import { systemClock } from '@sluice/gateway/clock';
import type { LogSink, Reader, StreamIdentity } from '@sluice/gateway/log/log-sink';
import { type Nats, connectToNats } from '@sluice/gateway/log/nats';
import { createReader } from '@sluice/gateway/log/reader';

export interface RecordedEvent {
  sequence: number;
  timeMs: number;
  subject: string;
  payload: string;
}

export interface RecordedGeneration {
  identity: StreamIdentity;
  firstSequence: number;
  cause: 'boot' | 'new_stream' | 'rolled_back';
  events: RecordedEvent[];
  skipped: number[];
}

/** A sink that keeps everything. `failOn` makes it throw once, when it is given that sequence. */
export class LogRecorder implements LogSink {
  readonly generations: RecordedGeneration[] = [];
  /** Breaches of the contract: out of order, twice, before the first sequence. */
  readonly breaches: string[] = [];
  failOn: number | undefined;

  begin(identity: StreamIdentity, firstSequence: number, cause: 'boot' | 'new_stream' | 'rolled_back'): void {
    this.generations.push({ identity, firstSequence, cause, events: [], skipped: [] });
  }

  append(sequence: number, timeMs: number, subject: string, payload: Uint8Array): void {
    if (this.failOn === sequence) {
      this.failOn = undefined;
      throw new Error('this sink was told to fail');
    }
    this.#check(sequence);
    this.current.events.push({ sequence, timeMs, subject, payload: Buffer.from(payload).toString('utf8') });
  }

  skip(sequence: number): void {
    this.#check(sequence);
    this.current.skipped.push(sequence);
  }

  newestBelow(sequence: number): { sequence: number; timeMs: number } | undefined {
    return this.current.events.findLast((event) => event.sequence < sequence);
  }

  get current(): RecordedGeneration {
    const generation = this.generations.at(-1);
    if (generation === undefined) throw new Error('no generation has begun');
    return generation;
  }

  get sequences(): number[] {
    return this.generations.at(-1)?.events.map((event) => event.sequence) ?? [];
  }

  #check(sequence: number): void {
    const { events, skipped, firstSequence } = this.current;
    const last = Math.max(firstSequence - 1, events.at(-1)?.sequence ?? 0, skipped.at(-1) ?? 0);
    if (sequence <= last) this.breaches.push(`${sequence} after ${last}`);
  }
}

export interface ReaderHarness extends AsyncDisposable {
  nats: Nats;
  reader: Reader;
  recorder: LogRecorder;
  doubts: string[];
}

/** A started reader with two connections of its own. */
export async function startReader(
  servers: readonly string[],
  stream: string,
  options: { startMs?: number; maxBackfillBytes?: number } = {},
): Promise<ReaderHarness> {
  const nats = await connectToNats({ servers, name: 'reader test', clock: systemClock, connectTimeoutMs: 10_000 });
  const recorder = new LogRecorder();
  const doubts: string[] = [];
  const reader = createReader({
    stream,
    nats,
    sink: recorder,
    clock: systemClock,
    startMs: options.startMs ?? 3_600_000,
    maxBackfillBytes: options.maxBackfillBytes ?? 64 * 1024 * 1024,
    onDoubt: (_, cause) => doubts.push(cause),
  });
  await reader.start();
  return {
    nats,
    reader,
    recorder,
    doubts,
    async [Symbol.asyncDispose]() {
      await reader.stop();
      await nats.close();
    },
  };
}

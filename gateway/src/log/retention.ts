// Readings of a stream's leader that are younger than the question: callers who ask while one is under way share the
// next one. A page that was read while retention moved counts only against a first sequence that was read after it.

import { GatewayError } from '../errors.ts';
import { readStream } from './jetstream-api.ts';
import type { StreamReading } from './jetstream-api.ts';
import type { NatsLink } from './nats.ts';

const READ_TIMEOUT_MS = 2_000;

interface Readings {
  readonly current: Promise<StreamReading>;
  next: Promise<StreamReading> | undefined;
}

export class Retention {
  readonly #link: NatsLink;
  readonly #readings = new Map<string, Readings>();

  constructor(link: NatsLink) {
    this.#link = link;
  }

  /** A reading that began after this call. It may come from a server without leader: see hasLeader. */
  read(stream: string): Promise<StreamReading> {
    const running = this.#readings.get(stream);
    if (running === undefined) return this.#start(stream);
    running.next ??= running.current.then(
      () => this.#start(stream),
      () => this.#start(stream),
    );
    return running.next;
  }

  /** The same from a leader; throws nats_no_leader if the server that answered knows none. */
  async readFromLeader(stream: string): Promise<StreamReading> {
    const reading = await this.read(stream);
    if (!reading.hasLeader) throw new GatewayError('nats_no_leader', `stream ${stream} has no leader here`);
    return reading;
  }

  #start(stream: string): Promise<StreamReading> {
    const current = readStream(this.#link, stream, READ_TIMEOUT_MS);
    const readings: Readings = { current, next: undefined };
    this.#readings.set(stream, readings);
    void this.#forget(stream, readings);
    return current;
  }

  async #forget(stream: string, readings: Readings): Promise<void> {
    await Promise.allSettled([readings.current]);
    // With a next one, that one has replaced this entry or is about to.
    if (this.#readings.get(stream) === readings && readings.next === undefined) this.#readings.delete(stream);
  }
}

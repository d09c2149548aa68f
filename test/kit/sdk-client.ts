// A client of the SDK with a recorder on every channel, and the patience of a test: short delays, no last attempt.
import { type Client, type ClientOptions, type SubscribeOptions, createClient } from '@sluice/client';
import { eventually } from './eventually.ts';
import { Recorder } from './recorder.ts';
import type { Random } from './seed.ts';

export interface SdkClientOptions {
  url: string;
  token: ClientOptions['token'];
  name?: string;
  encoding?: 'msgpack' | 'json';
  random?: Random;
  more?: Partial<ClientOptions>;
}

export class SdkClient implements Disposable {
  readonly client: Client;
  readonly recorder: Recorder;
  /** Codes of errors that no subscription took. */
  readonly errors: string[] = [];
  /** Kinds of connection states, in order. */
  readonly states: string[] = [];

  constructor(options: SdkClientOptions) {
    this.recorder = new Recorder(options.name ?? 'client');
    this.client = createClient({
      url: options.url,
      token: options.token,
      encoding: options.encoding ?? 'msgpack',
      maxAttempts: Number.POSITIVE_INFINITY,
      backoffScheduleMs: [50, 100, 200, 400],
      attemptTimeoutMs: 5_000,
      ...(options.random === undefined ? {} : { random: options.random }),
      ...options.more,
    });
    this.client.on('error', (error) => this.errors.push(error.code));
    this.client.on('state', (state) => this.states.push(state.kind));
    this.client.connect();
  }

  subscribe(channel: string, options: SubscribeOptions = {}): void {
    this.recorder.follow(this.client.subscribe(channel, options));
  }

  /** Subscribes and waits until everything stored has arrived. */
  async subscribeUntilLive(channel: string, options: SubscribeOptions = {}): Promise<void> {
    this.subscribe(channel, options);
    await this.live(channel);
  }

  async live(channel: string, timeoutMs = 15_000): Promise<void> {
    await eventually(() => this.recorder.isLive(channel), {
      timeoutMs,
      what: `${this.recorder.name} live on ${channel} (state ${this.client.state.kind})`,
    });
  }

  /** Waits until the client has seen the event. */
  async has(channel: string, stored: { sequence: number; subject: string }, timeoutMs = 30_000): Promise<void> {
    await eventually(() => this.recorder.has(channel, stored), {
      timeoutMs,
      intervalMs: 50,
      what: `${this.recorder.name} to see ${stored.subject} ${stored.sequence} (state ${this.client.state.kind})`,
    });
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

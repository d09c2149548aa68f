// `sluice tail`: a channel in the terminal. A client like any other; it shows what an application would be told.

import { createClient, type ChannelEvent, type Client, type ClientError, type Subscription } from '@sluice/client';
import { rez, type EventTypeDefinition } from '@sluice/schemas';
import { DeployError } from '../errors.ts';
import { requireRunningStack } from '../stack/run-file.ts';
import { signToken, type TokenSubject, tokenSecret } from '../stack/tokens.ts';
import { toJsonLine, toLine, type Arrival } from './tail-line.ts';
import { parseTailOptions, type TailOptions } from './tail-options.ts';
import { viewerOf } from './viewer-token.ts';

/** A reader that is slower than the channel: beyond this the viewer disconnects until it has caught up. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** Types of the reference domain of which the newest stands for those before it. Of another domain nothing is said. */
const CONFLATED: ReadonlySet<string> = new Set(
  rez.families.flatMap(({ name, types }) =>
    Object.entries<EventTypeDefinition>(types).flatMap(([type, { conflate }]) => (conflate ? [`${name}.${type}`] : [])),
  ),
);

/** The part of process.stdout that is used. */
export interface Output {
  readonly isTTY?: boolean;
  readonly writableLength: number;
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

export interface TailContext {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly findStack: () => Promise<{ readonly gatewayUrl: string; readonly token: string }>;
  /** With the secret of the stack that runs here. */
  readonly signToken: (subject: TokenSubject) => Promise<string>;
  /** Calls back when the person wants to stop. */
  readonly onInterrupt: (stop: () => void) => void;
}

const processContext: TailContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  findStack: requireRunningStack,
  signToken: async (subject) => await signToken(await tokenSecret(), subject),
  onInterrupt: (stop) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  },
};

export async function runTail(args: readonly string[], context: TailContext = processContext): Promise<number> {
  const options = parseTailOptions(args);
  if ('help' in options) {
    context.stdout.write(`${options.help}\n`);
    return 0;
  }
  const address = await findGateway(options, context);
  return await new Viewer(options, address, context).run();
}

interface Address {
  readonly url: string;
  readonly token: string;
}

async function findGateway({ url, token, channel }: TailOptions, context: TailContext): Promise<Address> {
  if (url !== undefined && token !== undefined) return { url, token };
  const stack = await context.findStack();
  const viewer = url === undefined && token === undefined ? viewerOf(channel) : undefined;
  if (viewer) return { url: stack.gatewayUrl, token: await context.signToken(viewer) };
  return { url: url ?? stack.gatewayUrl, token: token ?? stack.token };
}

class Viewer {
  readonly #options: TailOptions;
  readonly #url: string;
  readonly #context: TailContext;
  readonly #client: Client;
  readonly #isColoured: boolean;
  #arrival: Arrival = 'first';
  #seen = 0;
  readonly #shownTypes = new Set<string>();
  #hasConnected = false;
  #isPaused = false;
  #timer: NodeJS.Timeout | undefined;
  #end: (outcome: { readonly fault?: DeployError }) => void = () => {};

  constructor(options: TailOptions, { url, token }: Address, context: TailContext) {
    this.#options = options;
    this.#url = url;
    this.#context = context;
    this.#isColoured = context.stdout.isTTY === true && !context.env['NO_COLOR'];
    this.#client = openClient(url, token);
  }

  async run(): Promise<number> {
    const subscription = this.#client.subscribe(this.#options.channel, this.#options.subscribe);
    const ended = new Promise<{ readonly fault?: DeployError }>((resolve) => {
      this.#end = resolve;
    });
    this.#watchOutput();
    this.#watchConnection();
    this.#watch(subscription);
    this.#context.onInterrupt(() => this.#end({}));
    this.#client.connect();
    this.#scheduleCut();
    const { fault } = await ended;
    clearTimeout(this.#timer);
    const { position } = subscription;
    this.#client.close();
    if (fault) throw fault;
    if (position !== undefined) {
      this.#note(`to go on from here: npx sluice tail '${this.#options.channel}' --from='${position}'`);
    }
    return 0;
  }

  #watch(subscription: Subscription): void {
    subscription.on('subscribed', ({ isRecovered }) => {
      this.#arrival = isRecovered ? 'caught_up' : 'first';
    });
    subscription.on('reset', ({ reason }) => {
      this.#arrival = 'first';
      this.#note(`reset (${reason}): what came before no longer counts; first events follow`);
    });
    subscription.on('event', (event) => this.#show(event, subscription));
    subscription.on('live', () => this.#note('live'));
    subscription.on('error', (error) => {
      if (error.isRetryable) this.#note(`${error.message} Trying again. (${error.code})`);
    });
    subscription.on('ended', ({ error }) => {
      if (error) this.#fail(`${this.#options.channel}: ${error.message} (${error.code})`, error);
    });
  }

  #watchConnection(): void {
    this.#client.on('state', (state) => {
      if (state.kind === 'connected') this.#hasConnected = true;
      else if (state.kind === 'reconnecting' && !this.#hasConnected) {
        this.#fail(`No gateway answers at ${this.#url}. Is it running? \`npm start\` starts one here.`);
      } else if (state.kind === 'reconnecting') this.#note(`connection lost, reconnecting (${state.attempt})`);
    });
    this.#client.on('error', (error) => {
      // A reader that goes away while a line is written is no fault of a listener.
      if (error.code === 'listener_threw') throw error.cause;
      if (error.isRetryable) this.#note(`${error.message} Trying again. (${error.code})`);
      else this.#fail(`The gateway refuses the connection: ${error.message} (${error.code})`, error);
    });
  }

  #watchOutput(): void {
    // `sluice tail ... | head`: the reader has what it wanted.
    for (const output of [this.#context.stdout, this.#context.stderr]) {
      output.on('error', (error) => {
        if (error.code === 'EPIPE') this.#end({});
        else this.#fail(`Cannot write: ${error.message}`, error);
      });
    }
  }

  #show(event: ChannelEvent, subscription: Subscription): void {
    const { isJson, count } = this.#options;
    // What no stream keeps has no place in a view of one.
    if (event.isEphemeral || this.#seen >= count) return;
    this.#seen++;
    this.#shownTypes.add(event.type);
    const arrival = event.isLive ? 'live' : this.#arrival;
    const line = isJson ? toJsonLine(event, arrival, Date.now()) : toLine(event, arrival, Date.now(), this.#isColoured);
    this.#context.stdout.write(`${line}\n`);
    if (this.#seen >= count) {
      // Keeps the position right after this event.
      subscription.unsubscribe();
      this.#end({});
    } else if (this.#context.stdout.writableLength > MAX_UNREAD_BYTES) this.#pause();
  }

  /** Being away is what the protocol is good at: nothing is queued, and nothing is lost. */
  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#client.networkChanged(false);
    this.#context.stdout.once('drain', () => {
      this.#isPaused = false;
      this.#client.networkChanged(true);
    });
  }

  #scheduleCut(): void {
    const { cutAfterMs, awayMs } = this.#options;
    if (cutAfterMs === undefined) return;
    this.#timer = setTimeout(() => {
      const newestOnly = [...this.#shownTypes].filter((type) => CONFLATED.has(type)).join(', ');
      this.#note(`cut: away for ${awayMs / 1_000} s${newestOnly && `; of ${newestOnly} the newest comes afterwards`}`);
      this.#client.networkChanged(false);
      this.#timer = setTimeout(() => {
        if (!this.#isPaused) this.#client.networkChanged(true);
      }, awayMs);
    }, cutAfterMs);
  }

  #fail(message: string, cause?: ClientError | Error): void {
    this.#end({ fault: new DeployError('tail_failed', message, { cause }) });
  }

  /** On standard error: standard output carries events and nothing else. */
  #note(text: string): void {
    const isColoured = this.#context.stderr.isTTY === true && !this.#context.env['NO_COLOR'];
    this.#context.stderr.write(isColoured ? `\x1b[2m-- ${text}\x1b[0m\n` : `-- ${text}\n`);
  }
}

function openClient(url: string, token: string): Client {
  try {
    return createClient({ url, token, agent: 'sluice-tail', maxAttempts: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw new DeployError('bad_arguments', `sluice tail: ${(error as Error).message}`, { cause: error });
  }
}

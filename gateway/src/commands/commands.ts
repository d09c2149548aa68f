// What clients do: commands are checked, stored and only then acknowledged (I6); calls are checked, asked and answered.
// One for the pod. Knows sessions by a narrow view of them, and NATS by the store and a request.
import {
  callSubject,
  commandSubject,
  fail,
  ok,
  type Call,
  type CallEnvelope,
  type Catalogue,
  type Command,
  type CommandDefinition,
  type CommandEnvelope,
  type DownFrame,
  type ErrorCode,
  type ErrorFrame,
  type Result,
} from '@sluice/schemas';
import { TokenBucket, type User } from '../access/limits.ts';
import type { Principal } from '../access/permission.ts';
import { GatewayError } from '../errors.ts';
import type { Options } from '../config/table.ts';
import type { Clock } from '../operations/clock.ts';
import { count } from '../operations/count.ts';
import { parseAnswer } from './call-answer.ts';
import type { CommandStore, StoreOutcome } from './command-store.ts';
import { enterAll, InFlight, type InFlightLimit } from './in-flight.ts';
import { RequestCheck, tooLarge, type Fault, type JsonObject, type KnownCall } from './request-check.ts';

export interface RequestLimits {
  readonly maxBytes: number;
  readonly perSecond: number;
  readonly burst: number;
  readonly perSecondPerUser: number;
  readonly burstPerUser: number;
  readonly inFlightPerSocket: InFlightLimit;
  readonly inFlightPerUser: InFlightLimit;
  readonly inFlight: InFlightLimit;
}

/** Of the bytes of the pod, what one user and one connection may take at most. */
const BYTES_SHARE = { user: 8, socket: 16 };

export const requestLimits = (
  config: Pick<
    Options,
    | 'commandMaxBytes'
    | 'requestsPerSecond'
    | 'requestBurst'
    | 'requestsPerSecondPerUser'
    | 'requestBurstPerUser'
    | 'maxRequestsInFlightPerSocket'
    | 'maxRequestsInFlightPerUser'
    | 'maxRequestsInFlight'
    | 'maxRequestBytesInFlight'
  >,
  maxPayloadBytes: number,
): RequestLimits => {
  const maxBytes = Math.min(config.commandMaxBytes, maxPayloadBytes);
  const bytes = config.maxRequestBytesInFlight;
  return {
    maxBytes,
    perSecond: config.requestsPerSecond,
    burst: config.requestBurst,
    perSecondPerUser: config.requestsPerSecondPerUser,
    burstPerUser: config.requestBurstPerUser,
    // One that is as long as it may be always has room when nothing else is under way.
    inFlightPerSocket: {
      count: config.maxRequestsInFlightPerSocket,
      bytes: Math.max(maxBytes, bytes / BYTES_SHARE.socket),
    },
    inFlightPerUser: { count: config.maxRequestsInFlightPerUser, bytes: Math.max(maxBytes, bytes / BYTES_SHARE.user) },
    inFlight: { count: config.maxRequestsInFlight, bytes },
  };
};

/** Names of outcomes to how often they were; `stored`, `duplicate`, `effect`, `answered`, and error codes. */
export interface RequestCounters {
  readonly commands: Partial<Record<string, number>>;
  readonly calls: Partial<Record<string, number>>;
  requestsInFlight: number;
}

/** Makes an ephemeral event of a command that is never stored. */
export interface CommandEffects {
  /** The data fits its schema. Undefined if it took effect. */
  apply(sender: Sender, command: Pick<CommandDefinition, 'name'>, data: JsonObject): ErrorCode | undefined;
}

/** The connection that a request came from. */
export interface Sender {
  readonly principal: Principal | undefined;
  readonly user: User | undefined;
  readonly subscriptions: readonly { readonly name: string; readonly isAdmitted: boolean }[];
  pushFrame(frame: DownFrame): void;
  error(code: ErrorCode, about: Partial<Pick<ErrorFrame, 'id' | 'retryAfterMs' | 'refusal'>>, message?: string): void;
  /** Sends what was pushed. */
  wake(): void;
}

export interface CommandsOptions {
  readonly catalogue: Pick<Catalogue, 'commands' | 'calls' | 'actorClaims'>;
  readonly store: CommandStore;
  /** Throws a GatewayError. */
  readonly request: (subject: string, payload: string, timeoutMs: number) => Promise<{ readonly data: Uint8Array }>;
  readonly limits: RequestLimits;
  readonly clock: Clock;
  readonly counters: RequestCounters;
  /** Commands with an effect are unknown without it. */
  readonly effects?: CommandEffects | undefined;
  /** Something to log: a command that was not acknowledged, an answer that no client may get. */
  readonly onTrouble: (where: 'command' | 'call', reason: string) => void;
}

/** What one connection, or one user, has taken. */
export interface RequestShare {
  readonly rate: TokenBucket;
  readonly inFlight: InFlight;
}

/** How soon to come again when too much is under way: most of it is over within an acknowledgement. */
const OVERLOADED_RETRY_MS = 500;

export class Commands {
  readonly #options: CommandsOptions;
  readonly #check: RequestCheck;
  readonly #inFlight: InFlight;
  /** Ends with the user's last connection. */
  readonly #users = new WeakMap<User, RequestShare>();

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#check = new RequestCheck(options.catalogue, options.limits.maxBytes);
    this.#inFlight = new InFlight(options.limits.inFlight);
  }

  /** For a connection, when it makes its first request. */
  createShare(): RequestShare {
    const { perSecond, burst, inFlightPerSocket } = this.#options.limits;
    return this.#createShare(perSecond, burst, inFlightPerSocket);
  }

  command(sender: Sender, share: RequestShare, { id, commandId, name, data }: Command): void {
    const { clock, counters, effects } = this.#options;
    const refuse = this.#refuser(sender, counters.commands, id);
    const waitMs = this.#waitMs(sender, share);
    if (waitMs > 0) return refuse({ code: 'rate_limited', retryAfterMs: waitMs });
    const principal = sender.principal!;
    const checked = this.#check.command(principal, name, commandId, data);
    if (!checked.ok) return refuse(checked.error);
    if (checked.value.definition.effect) {
      const code = effects ? effects.apply(sender, checked.value.definition, checked.value.data) : 'unknown_command';
      if (code !== undefined) return refuse({ code });
      count(counters.commands, 'effect');
      return sender.pushFrame({ kind: 'ok', id });
    }
    const payload = JSON.stringify({
      commandId,
      command: name,
      actor: this.#check.actor(principal),
      data: checked.value.data,
      receivedAt: new Date(clock.now()).toISOString(),
    } satisfies CommandEnvelope);
    const admitted = this.#admit(sender, share, payload);
    if (!admitted.ok) return refuse(admitted.error);
    const leave = admitted.value;
    void this.#options.store.store(commandSubject(name, principal.subject, commandId), payload).then((outcome) => {
      leave();
      this.#answerCommand(sender, id, outcome, refuse);
    });
  }

  call(sender: Sender, share: RequestShare, { id, name, data, timeoutMs }: Call): void {
    const { clock, counters } = this.#options;
    const refuse = this.#refuser(sender, counters.calls, id);
    const waitMs = this.#waitMs(sender, share);
    if (waitMs > 0) return refuse({ code: 'rate_limited', retryAfterMs: waitMs });
    const principal = sender.principal!;
    const checked = this.#check.call(principal, name, data);
    if (!checked.ok) return refuse(checked.error);
    const payload = JSON.stringify({
      command: name,
      actor: this.#check.actor(principal),
      data: checked.value.data,
      receivedAt: new Date(clock.now()).toISOString(),
    } satisfies CallEnvelope);
    const admitted = this.#admit(sender, share, payload);
    if (!admitted.ok) return refuse(admitted.error);
    const leave = admitted.value;
    const { call } = checked.value;
    const patienceMs = Math.min(call.definition.timeoutMs, timeoutMs ?? Number.POSITIVE_INFINITY);
    void this.#options.request(callSubject(name, principal.subject), payload, patienceMs).then(
      (answer) => {
        leave();
        this.#answerCall(sender, id, call, answer.data, refuse);
        sender.wake();
      },
      (error: unknown) => {
        leave();
        refuse({ code: codeOfRequest(error) });
        sender.wake();
      },
    );
  }

  #answerCommand(sender: Sender, id: number, outcome: StoreOutcome, refuse: Refuser): void {
    switch (outcome.kind) {
      case 'stored':
        count(this.#options.counters.commands, outcome.isDuplicate ? 'duplicate' : 'stored');
        sender.pushFrame({
          kind: 'ok',
          id,
          sequence: outcome.sequence,
          ...(outcome.isDuplicate && { isDuplicate: true }),
        });
        break;
      case 'full':
        refuse({ code: 'overloaded', message: 'The stream of commands is full.' });
        break;
      case 'too_large':
        refuse({ code: 'invalid_command', message: 'The stream takes no command of this size.' });
        break;
      case 'unavailable':
        this.#options.onTrouble('command', `not acknowledged: ${outcome.reason}`);
        refuse({ code: 'unavailable' });
    }
    sender.wake();
  }

  #answerCall(sender: Sender, id: number, call: KnownCall, body: Uint8Array, refuse: Refuser): void {
    const { counters, onTrouble } = this.#options;
    const answer = parseAnswer(call.answer, body);
    switch (answer.kind) {
      case 'data':
        try {
          sender.pushFrame({ kind: 'result', id, data: answer.data });
        } catch (error) {
          // A map of more than 65,535 keys, say: msgpack has a form for it, the encoder has none.
          onTrouble('call', `the answer to ${call.definition.name} has no form on the wire: ${String(error)}`);
          return refuse(UNUSABLE);
        }
        return count(counters.calls, 'answered');
      case 'refusal':
        count(counters.calls, 'refused');
        return sender.error('refused', { id, refusal: answer.refusal });
      case 'unusable':
        onTrouble('call', `the answer to ${call.definition.name} ${answer.reason}`);
        return refuse(UNUSABLE);
    }
  }

  #refuser(sender: Sender, counts: Partial<Record<string, number>>, id: number): Refuser {
    return ({ code, message, retryAfterMs }) => {
      count(counts, code);
      sender.error(code, { id, ...(retryAfterMs !== undefined && { retryAfterMs }) }, message);
    };
  }

  /** Takes from the buckets of the connection and of the user; how long to wait if one of them is empty. */
  #waitMs(sender: Sender, share: RequestShare): number {
    const nowMs = this.#options.clock.now();
    const empty = [share, this.#shareOf(sender.user!)].find(({ rate }) => !rate.take(nowMs));
    return empty?.rate.waitMs(nowMs) ?? 0;
  }

  /** Counts it as under way, if there is room for it. What it returns ends that. */
  #admit(sender: Sender, share: RequestShare, payload: string): Result<() => void, Fault> {
    const { counters, limits } = this.#options;
    const bytes = Buffer.byteLength(payload);
    if (bytes > limits.maxBytes) return fail(tooLarge(bytes, limits.maxBytes));
    const leave = enterAll([share.inFlight, this.#shareOf(sender.user!).inFlight, this.#inFlight], bytes);
    if (!leave) return fail({ code: 'overloaded', retryAfterMs: OVERLOADED_RETRY_MS });
    counters.requestsInFlight++;
    return ok(() => {
      counters.requestsInFlight--;
      leave();
    });
  }

  #shareOf(user: User): RequestShare {
    let share = this.#users.get(user);
    if (!share) {
      const { perSecondPerUser, burstPerUser, inFlightPerUser } = this.#options.limits;
      this.#users.set(user, (share = this.#createShare(perSecondPerUser, burstPerUser, inFlightPerUser)));
    }
    return share;
  }

  #createShare(perSecond: number, burst: number, inFlight: InFlightLimit): RequestShare {
    return {
      rate: new TokenBucket({ perSecond, burst }, this.#options.clock.now()),
      inFlight: new InFlight(inFlight),
    };
  }
}

type Refuser = (fault: Fault) => void;

const UNUSABLE: Fault = { code: 'no_answer', message: 'The service gave no usable answer.' };

/** Nobody listens, nobody answered in time: to the client it is one. */
const codeOfRequest = (error: unknown): ErrorCode => {
  const { code } = GatewayError.from(error);
  return code === 'nats_timeout' || code === 'nats_no_responders' ? 'no_answer' : 'unavailable';
};

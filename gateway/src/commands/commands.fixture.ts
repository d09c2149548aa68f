// The commands of a pod without NATS: what is stored and asked is noted, and answered as a test says.
import type { Catalogue } from '@sluice/schemas';
import type { ManualClock } from '../operations/manual-clock.fixture.ts';
import type { StoreOutcome } from './command-store.ts';
import { Commands, type CommandEffects, type RequestCounters, type RequestLimits } from './commands.ts';

export const REQUEST_LIMITS: RequestLimits = {
  maxBytes: 4_096,
  perSecond: 10,
  burst: 100,
  perSecondPerUser: 20,
  burstPerUser: 200,
  inFlightPerSocket: { count: 100, bytes: 100_000 },
  inFlightPerUser: { count: 200, bytes: 200_000 },
  inFlight: { count: 1_000, bytes: 1_000_000 },
};

export interface Stored {
  readonly subject: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly settle: (outcome: StoreOutcome) => void;
}

export interface Asked {
  readonly subject: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
  readonly answer: (body: unknown) => void;
  readonly fail: (error: unknown) => void;
}

export interface TestCommands {
  readonly commands: Commands;
  readonly stored: Stored[];
  readonly asked: Asked[];
}

export interface TestCommandsOptions {
  readonly catalogue: Pick<Catalogue, 'commands' | 'calls' | 'actorClaims'>;
  readonly clock: ManualClock;
  readonly counters: RequestCounters;
  readonly limits?: Partial<RequestLimits>;
  readonly effects?: CommandEffects;
  readonly onTrouble?: (where: string, reason: string) => void;
}

export const createTestCommands = (options: TestCommandsOptions): TestCommands => {
  const stored: Stored[] = [];
  const asked: Asked[] = [];
  const commands = new Commands({
    catalogue: options.catalogue,
    clock: options.clock,
    counters: options.counters,
    limits: { ...REQUEST_LIMITS, ...options.limits },
    effects: options.effects,
    onTrouble: options.onTrouble ?? (() => {}),
    store: {
      store: (subject, payload) =>
        new Promise((settle) => {
          stored.push({ subject, payload: JSON.parse(payload) as Stored['payload'], settle });
        }),
    },
    request: (subject, payload, timeoutMs) =>
      new Promise((resolve, reject) => {
        asked.push({
          subject,
          payload: JSON.parse(payload) as Asked['payload'],
          timeoutMs,
          answer: (body) =>
            resolve({ data: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)) }),
          fail: reject,
        });
      }),
  });
  return { commands, stored, asked };
};

// One connection to a pod with an empty log, and what tests say on it.
import { CLOSE_CODES, type DownFrame, type Encoding, type Subscribe, type UpFrame } from '@sluice/schemas';
import type { Principal } from '../access/permission.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import {
  createTestPod,
  settle,
  tokenOf,
  type FakeConnection,
  type TestPod,
  type TestPodOptions,
} from './pod.fixture.ts';

export const CUSTOMER: Principal = { subject: 'u-1', role: 'customer', claims: {} };
export const MERCHANT: Principal = { subject: 'u-1', role: 'merchant_owner', claims: { merchantId: 'm-1' } };
export const NOW_MS = 1_700_000_000_000;

export const hello = (token: string | undefined = tokenOf(CUSTOMER), version = 1): UpFrame => ({
  kind: 'hello',
  version,
  ...(token !== undefined && { token }),
});
export const subscribe = (id: number, channel: string, more: Partial<Subscribe> = {}): UpFrame => ({
  kind: 'subscribe',
  id,
  channel,
  first: 'none',
  ...more,
});
export const auth = (id: number, token: string): UpFrame => ({ kind: 'auth', id, token });

export interface Bench {
  readonly pod: TestPod;
  readonly cold: ModelCold;
  readonly connection: FakeConnection;
  /** Writes, lets everything settle, and reads what came back. */
  say(...frames: readonly UpFrame[]): Promise<DownFrame[]>;
  /** Time passes, looked at twice a second. */
  pass(ms: number): DownFrame[];
}

export const createBench = (
  options: Partial<TestPodOptions> = {},
  encoding: Encoding = 'msgpack',
  headerToken?: string,
): Bench => {
  const cold = new ModelCold(new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)])));
  const pod = createTestPod({ cold, ...options });
  const connection = pod.connect(encoding, Number.POSITIVE_INFINITY, headerToken);
  return {
    pod,
    cold,
    connection,
    say: async (...frames) => {
      if (frames.length > 0) connection.write(...frames);
      await settle();
      pod.turn();
      return connection.read();
    },
    pass: (ms) => {
      for (let passed = 0; passed < ms; passed += 500) {
        pod.clock.advance(500);
        pod.sessions.sweep(pod.clock.now());
      }
      return connection.read();
    },
  };
};

export const openBench = async (options: Partial<TestPodOptions> = {}, who: Principal = CUSTOMER): Promise<Bench> => {
  const bench = createBench(options);
  const [welcome] = await bench.say(hello(tokenOf(who)));
  if (welcome?.kind !== 'welcome') throw new Error('not welcome');
  return bench;
};

export const kinds = (frames: readonly DownFrame[]): string[] =>
  frames.map((frame) => ('code' in frame ? `${frame.kind} ${frame.code}` : frame.kind));
export const closedAs = ({ connection }: Bench): string | undefined => {
  if (!connection.closed) return undefined;
  const { code, reason } = connection.closed;
  if (CLOSE_CODES[reason as keyof typeof CLOSE_CODES] !== code) throw new Error(`${reason} is not ${code}`);
  return reason;
};

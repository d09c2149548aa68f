// What a reader's watch makes of a clock that is set back: nothing, or the reader would stand still for as long.
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import type { Nats, NatsLink } from './nats.ts';
import type { PushConsumer } from './push-consumer.ts';
import { ReaderHead } from './reader-head.ts';
import { ReaderWatch } from './reader-watch.ts';

const HOUR_MS = 3_600_000;
let clock: ManualClock;
let watch: ReaderWatch;
let asked: number;
let moves: string[];
let doubts: string[];
let isHeard: boolean;
let hasLeader: boolean;

beforeEach(() => {
  clock = new ManualClock();
  asked = 0;
  moves = [];
  doubts = [];
  isHeard = true;
  hasLeader = true;
  const link = {
    isConnected: true,
    connectedSinceMs: clock.now(),
    serverId: 'a',
    request: async () => {
      asked++;
      const cluster = hasLeader ? {} : { cluster: {} };
      return { data: Buffer.from(JSON.stringify({ created: 'c', state: { last_seq: 0 }, ...cluster })) };
    },
    moveToAnotherServer: (reason: string) => moves.push(reason) > 0,
  } as unknown as NatsLink;
  watch = new ReaderWatch({
    stream: 'ORDER',
    nats: { live: link, requests: link } as Nats,
    clock,
    watched: {
      head: new ReaderHead(),
      consumer: () => ({ takeHeard: () => isHeard }) as PushConsumer,
      created: () => 'c',
      recreatingSinceMs: () => undefined,
      storedFrom: async () => undefined,
      doubt: (cause) => doubts.push(cause),
      trouble: () => {},
    },
  });
  watch.start();
});

const pass = async (ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 250) {
    clock.advance(250);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

test('the leader is read on, and what was read is as old as before', async () => {
  await pass(5_000);
  const before = asked;
  clock.setBack(HOUR_MS);
  await pass(250);
  expect(clock.now() - watch.readings.leaderReadMs).toBeGreaterThanOrEqual(0);
  await pass(5_000);

  expect(asked - before).toBeGreaterThanOrEqual(4);
  expect([doubts, moves]).toEqual([[], []]);
});

test('silence is noticed', async () => {
  await pass(5_000);
  isHeard = false;
  clock.setBack(HOUR_MS);
  await pass(3_000);

  expect(doubts).toContain('silence');
});

test('a server that knows no leader is left', async () => {
  await pass(5_000);
  clock.setBack(HOUR_MS);
  hasLeader = false;
  await pass(6_000);

  expect(moves).toContain('no reading of the leader of ORDER');
});

import { expect, test } from 'vitest';
import { GatewayError } from '../errors.ts';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { createCommandStore } from './command-store.ts';

const SUBJECT = 'cmd.note.add.u-1.c-1';
const LOOK_UP = '$JS.API.STREAM.MSG.GET.CMD';
const TAKEN = { error: { code: 503, err_code: 10_077, description: 'maximum messages per subject exceeded' } };
const FULL = { error: { code: 503, err_code: 10_077, description: 'maximum messages exceeded' } };
const IN_FLIGHT = { error: { code: 409, err_code: 10_158, description: 'in flight' } };
const NOTHING = { error: { code: 404, err_code: 10_037, description: 'no message found' } };
const found = (seq: number): unknown => ({
  message: { seq, subject: SUBJECT, time: '2026-11-21T11:07:14.634780165Z' },
});

/** Answers what is asked, in order, until nothing is left to say: then time passes and nobody answers. */
const setUp = (...answers: readonly unknown[]) => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const left = [...answers];
  const store = createCommandStore({
    stream: 'CMD',
    ackTimeoutMs: 5_000,
    clock,
    link: {
      request: async (subject: string) => {
        asked.push(subject);
        const answer = left.length > 1 ? left.shift() : left[0];
        if (answer instanceof Error) throw answer;
        return { data: new TextEncoder().encode(JSON.stringify(answer)) } as never;
      },
    },
  });
  const run = async () => {
    let outcome: unknown;
    void store.store(SUBJECT, '{}').then((given) => (outcome = given));
    for (let i = 0; i < 100 && outcome === undefined; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    return outcome;
  };
  return { asked, run };
};

test('what the stream stores is acknowledged with its sequence', async () => {
  const { asked, run } = setUp({ stream: 'CMD', seq: 7 });

  expect(await run()).toEqual({ kind: 'stored', sequence: 7, isDuplicate: false });
  expect(asked).toEqual([SUBJECT]);
});

test('a refused second is looked up at the leader, and acknowledged as the first (I6)', async () => {
  const { asked, run } = setUp(TAKEN, found(3));

  expect(await run()).toEqual({ kind: 'stored', sequence: 3, isDuplicate: true });
  expect(asked).toEqual([SUBJECT, LOOK_UP]);
});

test('a full stream that has not got it is full; one that has it is not', async () => {
  expect(await setUp(FULL, NOTHING).run()).toEqual({ kind: 'full' });
  expect(await setUp(FULL, found(3)).run()).toEqual({ kind: 'stored', sequence: 3, isDuplicate: true });
});

test('a subject that is taken by what the leader cannot show yet is asked for again', async () => {
  const { asked, run } = setUp(TAKEN, NOTHING, TAKEN, NOTHING, TAKEN, found(9));

  expect(await run()).toEqual({ kind: 'stored', sequence: 9, isDuplicate: true });
  expect(asked).toHaveLength(6);
});

test('one that expired between refusal and look-up is stored', async () => {
  expect(await setUp(TAKEN, NOTHING, { stream: 'CMD', seq: 12 }).run()).toEqual({
    kind: 'stored',
    sequence: 12,
    isDuplicate: false,
  });
});

test('the first one under way is waited for, but not for ever', async () => {
  expect(await setUp(IN_FLIGHT, TAKEN, found(4)).run()).toMatchObject({ sequence: 4, isDuplicate: true });
  expect(await setUp(IN_FLIGHT).run()).toMatchObject({ kind: 'unavailable' });
});

test.each([
  ['no acknowledgement in time', [new GatewayError('nats_timeout', 'timeout')]],
  ['no stream that listens', [new GatewayError('nats_no_responders', '503')]],
  ['a look-up that nobody answers', [TAKEN, new GatewayError('nats_timeout', 'timeout')]],
  ['an isolated server that knows no leader', [TAKEN, { error: { code: 503, err_code: 10_008, description: '' } }]],
  ['an acknowledgement of another stream', [{ stream: 'OTHER', seq: 7 }]],
])('%s is never acknowledged', async (_, answers) => {
  expect(await setUp(...answers).run()).toMatchObject({ kind: 'unavailable' });
});

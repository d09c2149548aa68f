// A plain name that stands for the channel last asked for on the connection: `leaderboard` is the board one looks at.
import { mustCompileCatalogue, rez, type UpFrame } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { hello, openBench, subscribe, type Bench } from './session.fixture.ts';

const catalogue = mustCompileCatalogue(rez);
const unsubscribe = (id: number, channel: string) => ({ kind: 'unsubscribe', id, channel }) as const;

const answers = async ({ say }: Bench, ...frames: readonly UpFrame[]): Promise<string[]> =>
  (await say(...frames)).flatMap((frame) => {
    if (frame.kind === 'error') return [frame.code];
    return frame.kind === 'subscribed' || frame.kind === 'unsubscribed' ? [`${frame.kind} ${frame.channel}`] : [];
  });

test('is the month’s until another is asked for, then that one', async () => {
  const bench = await openBench({ catalogue });

  expect(await answers(bench, subscribe(1, 'leaderboard'))).toEqual(['subscribed leaderboard:monthly']);
  expect(await answers(bench, subscribe(2, 'leaderboard:daily'))).toEqual(['subscribed leaderboard:daily']);
  expect(await answers(bench, subscribe(3, 'leaderboard'))).toEqual(['already_subscribed']);
  expect(await answers(bench, unsubscribe(4, 'leaderboard'))).toEqual(['unsubscribed leaderboard:daily']);
  expect(await answers(bench, subscribe(5, 'leaderboard'))).toEqual(['subscribed leaderboard:daily']);
  expect(await answers(bench, subscribe(6, 'leaderboard:monthly'), unsubscribe(7, 'leaderboard'))).toEqual([
    'already_subscribed',
    'unsubscribed leaderboard:monthly',
  ]);
});

test('is each connection’s own, and one that is refused is not remembered', async () => {
  const bench = await openBench({ catalogue });
  await bench.say(subscribe(1, 'leaderboard:daily'));
  expect(await answers(bench, subscribe(2, 'leaderboard:a:b'), unsubscribe(3, 'leaderboard'))).toEqual([
    'invalid_channel',
    'unsubscribed leaderboard:daily',
  ]);

  const other = bench.pod.connect('msgpack', Number.POSITIVE_INFINITY);
  other.write(hello(), subscribe(1, 'leaderboard'));
  await bench.say();
  expect(other.read()).toContainEqual(expect.objectContaining({ kind: 'subscribed', channel: 'leaderboard:monthly' }));
});

import { expect, test } from 'vitest';
import { Bench, START_MS, user } from '../service.fixture.ts';
import { activitiesService } from './service.ts';

const HOUR_MS = 3_600_000;

const planned = () => {
  const bench = new Bench(activitiesService);
  const startsAt = new Date(START_MS + 2 * HOUR_MS).toISOString();
  const verdict = bench.send(user('u-1'), 'activity.create', { title: ' Walk ', description: 'Far', startsAt });
  const { activityId } = (verdict as unknown as { result: { activityId: string } }).result;
  return { bench, activityId };
};

test('joining twice counts once, leaving twice too, also turn about', () => {
  const { bench, activityId } = planned();
  for (const name of ['join', 'join', 'leave', 'leave', 'join'] as const) {
    bench.send(user('u-2'), `activity.${name}`, { activityId });
  }
  const counts = [...bench.of('activity.user_joined'), ...bench.of('activity.user_left')]
    .sort((a, b) => a.sequence - b.sequence)
    .map(({ payload }) => payload.participantCount);
  expect(counts).toEqual([2, 1, 2]);
});

test('the newest update is the whole activity, for those who come later', () => {
  const { bench, activityId } = planned();
  bench.send(user('u-2'), 'activity.join', { activityId });
  bench.send(user('u-2'), 'activity.like', { activityId });
  bench.send(user('u-3'), 'activity.like', { activityId });
  bench.send(user('u-3'), 'activity.unlike', { activityId });

  const last = bench.of('activity.updated').at(-1)!;
  expect(last.keys).toEqual({ activityId, userId: 'u-1' });
  expect(last.payload).toMatchObject({ id: activityId, title: 'Walk', description: 'Far', hostId: 'u-1' });
  expect(last.payload).toMatchObject({ participantCount: 2, likeCount: 1 });
});

test('refused: an activity that is not there, one that would have begun, a host who leaves', () => {
  const { bench, activityId } = planned();
  const past = new Date(START_MS - 1).toISOString();
  const codes = [
    bench.send(user('u-2'), 'activity.join', { activityId: 'activity-none' }),
    bench.send(user('u-2'), 'activity.create', { title: 'x', startsAt: past }),
    bench.send(user('u-2'), 'activity.create', { title: 'x', startsAt: 'tomorrow morning' }),
    bench.send(user('u-1'), 'activity.leave', { activityId }),
  ].map((verdict) => (verdict.kind === 'rejected' ? verdict.code : 'applied'));
  expect(codes).toEqual(['unknown_activity', 'not_in_the_future', 'not_in_the_future', 'host_cannot_leave']);
});

test('a day after it began an activity is put away, once', () => {
  const { bench, activityId } = planned();
  expect(bench.tick()).toEqual([]);
  bench.nowMs += 26 * HOUR_MS;
  expect(bench.tick()).toMatchObject([{ type: 'activity.deleted', keys: { activityId, userId: 'u-1' } }]);
  expect(bench.tick()).toEqual([]);
  expect(bench.send(user('u-2'), 'activity.join', { activityId })).toMatchObject({ code: 'unknown_activity' });
});

// Group activities: planned by somebody, joined and liked by others, put away a day after they began. Knows no streams.
import { rez } from '@sluice/schemas';
import {
  applied,
  type Consequence,
  type DecisionContext,
  defineService,
  type NewEvent,
  rejected,
  type ServiceCommand,
  type ServiceCommandOf,
  type ServiceDefinition,
  type Verdict,
} from '../../service/definition.ts';
import { cleanText } from '../text.ts';
import { type Activities, type Activity, ActivityBook } from './activity-book.ts';

const MAX_TITLE_LENGTH = 200;
const MAX_DESCRIPTION_LENGTH = 2_000;
const END_EVERY_MS = 60_000;

type Change = ServiceCommandOf<'activity.join' | 'activity.leave' | 'activity.like' | 'activity.unlike'>;

const decide = (activities: Activities, command: ServiceCommand, context: DecisionContext): Verdict => {
  const state = new ActivityBook(activities);
  switch (command.name) {
    case 'activity.create':
      return create(command, context);
    case 'activity.join':
    case 'activity.leave':
    case 'activity.like':
    case 'activity.unlike':
      return change(state, command, context);
    default:
      return rejected('unknown_command', command.name);
  }
};

const create = (
  { actor, data }: ServiceCommandOf<'activity.create'>,
  { id: createId, nowMs, timestamp }: DecisionContext,
): Verdict => {
  const title = cleanText(data.title, MAX_TITLE_LENGTH);
  if (!title.ok) return rejected(title.code, title.reason);
  const description = data.description === undefined ? undefined : cleanText(data.description, MAX_DESCRIPTION_LENGTH);
  if (description?.ok === false) return rejected(description.code, description.reason);
  const startsAtMs = data.startsAt === undefined ? undefined : Date.parse(data.startsAt);
  if (startsAtMs !== undefined && !(startsAtMs > nowMs)) return rejected('not_in_the_future', 'It would have begun');
  const id = createId('activity');
  const payload = {
    ...{ id, title: title.text, hostId: actor.sub },
    ...(description && { description: description.text }),
    ...(startsAtMs !== undefined && { startsAt: new Date(startsAtMs).toISOString() }),
    ...{ participantCount: 1, likeCount: 0, timestamp },
  };
  const keys = { activityId: id, userId: actor.sub };
  return applied([{ type: 'activity.created', keys, payload }], { result: { activityId: id } });
};

/** Asking for what is so already changes nothing, counts nothing and is no fault. */
const change = (state: ActivityBook, { name, actor, data }: Change, { timestamp }: DecisionContext): Verdict => {
  const activity = state.get(data.activityId);
  if (!activity) return rejected('unknown_activity', `There is no activity ${data.activityId}`);
  const { id: activityId, participants, likers } = activity;
  const { sub: userId } = actor;
  const keys = { activityId, userId };
  const isAbout = name === 'activity.join' || name === 'activity.leave' ? participants : likers;
  const isWanted = name === 'activity.join' || name === 'activity.like';
  if (name === 'activity.leave' && userId === activity.hostId) {
    return rejected('host_cannot_leave', 'Nobody would be left to ask');
  }
  const isSame = isAbout.has(userId) === isWanted;
  const count = isAbout.size + (isSame ? 0 : isWanted ? 1 : -1);
  const counts = isAbout === participants ? { participantCount: count } : { likeCount: count };
  if (isSame) return applied([], { result: counts });
  const who = { activityId, userId, timestamp };
  const happened: NewEvent =
    'participantCount' in counts
      ? {
          type: isWanted ? 'activity.user_joined' : 'activity.user_left',
          keys,
          payload: { ...who, participantCount: count },
        }
      : {
          type: isWanted ? 'activity.like_added' : 'activity.like_removed',
          keys,
          payload: { ...who, likeCount: count },
        };
  return applied([happened, updated(activity, counts, timestamp)], { result: counts });
};

/** The activity as it is now, for those who come later: joins and likes are moments. */
const updated = (activity: Activity, counts: Readonly<Record<string, number>>, timestamp: string): NewEvent => ({
  type: 'activity.updated',
  keys: { activityId: activity.id, userId: activity.hostId },
  payload: {
    ...{ ...activity.card, participantCount: activity.participants.size, likeCount: activity.likers.size },
    ...counts,
    ...{ timestamp },
  },
});

const due = (activities: Activities, { nowMs, timestamp }: DecisionContext): readonly Consequence[] =>
  new ActivityBook(activities).over(nowMs).map(({ id: activityId, hostId: userId }) => ({
    key: `end ${activityId}`,
    events: [{ type: 'activity.deleted', keys: { activityId, userId }, payload: { ...{ activityId, timestamp } } }],
  }));

export const activitiesService: ServiceDefinition<Activities> = defineService({
  name: 'activities',
  catalogue: rez,
  reads: ['activity'],
  guards: { activity: ['activityId'] },
  commands: ['activity.create', 'activity.join', 'activity.leave', 'activity.like', 'activity.unlike'],
  snapshotVersion: 1,
  initial: () => new Map(),
  fold: (activities, event) => new ActivityBook(activities).fold(event),
  decide,
  lane: ({ data, actor }) => ('activityId' in data ? data.activityId : actor.sub),
  tick: { everyMs: END_EVERY_MS, due },
});

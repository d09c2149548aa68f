// What the activities service knows: each activity, who takes part and who likes it. Pure.
import type { PastEvent, PastEventOf } from '../../service/definition.ts';

type Card = Pick<PastEventOf<'activity.created'>['payload'], 'id' | 'title' | 'startsAt'>;

export interface Activity {
  readonly id: string;
  readonly hostId: string;
  /** As it was created, without counts, command and time. */
  readonly card: Card;
  /** When it is over and is put away. */
  readonly endsAtMs: number;
  readonly participants: ReadonlySet<string>;
  readonly likers: ReadonlySet<string>;
}

export interface Entry extends Activity {
  readonly participants: Set<string>;
  readonly likers: Set<string>;
}

const DAY_MS = 86_400_000;
const NOT_OF_THE_CARD = new Set(['commandId', 'participantCount', 'likeCount', 'timestamp']);

/** By id. Plain, so that it can be kept. */
export type Activities = Map<string, Entry>;

export class ActivityBook {
  readonly #activities: Activities;

  constructor(activities: Activities) {
    this.#activities = activities;
  }

  fold(event: PastEvent): void {
    if (event.type === 'activity.created') return this.#add(event);
    if (event.type === 'activity.deleted') return void this.#activities.delete(event.keys.activityId);
    if (!event.type.startsWith('activity.')) return;
    const { activityId, userId } = event.keys as { activityId: string; userId: string };
    const activity = this.#activities.get(activityId);
    if (!activity) return;
    if (event.type === 'activity.user_joined') activity.participants.add(userId);
    else if (event.type === 'activity.user_left') activity.participants.delete(userId);
    else if (event.type === 'activity.like_added') activity.likers.add(userId);
    else if (event.type === 'activity.like_removed') activity.likers.delete(userId);
  }

  get(activityId: string): Activity | undefined {
    return this.#activities.get(activityId);
  }

  /** Those that are over by now. */
  over(nowMs: number): Activity[] {
    return [...this.#activities.values()].filter(({ endsAtMs }) => endsAtMs <= nowMs);
  }

  #add({ keys, payload, timeMs }: PastEventOf<'activity.created'>): void {
    if (this.#activities.has(keys.activityId)) return;
    const card = Object.fromEntries(Object.entries(payload).filter(([name]) => !NOT_OF_THE_CARD.has(name))) as Card;
    const startsAtMs = payload.startsAt === undefined ? timeMs : Date.parse(payload.startsAt);
    this.#activities.set(keys.activityId, {
      ...{ id: keys.activityId, hostId: keys.userId, card, endsAtMs: startsAtMs + DAY_MS },
      // Who invites comes too.
      ...{ participants: new Set([keys.userId]), likers: new Set() },
    });
  }
}

// Who else is on a channel, for those who are on it (I4: as of the answer, not of the question).
import type { PresenceQuery } from '@sluice/schemas';
import type { Pod } from './pod.ts';
import type { Session } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

export const answerPresenceQuery = async (
  session: Session,
  subscriptions: Subscriptions,
  pod: Pod,
  { id, channel }: PresenceQuery,
): Promise<void> => {
  const subscription = subscriptions.named(channel);
  const refuse = (code: Parameters<Session['error']>[0], retryAfterMs?: number): void =>
    session.error(code, { id, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  if (!subscription) return refuse('not_subscribed');
  if (!subscription.isAdmitted) return refuse('grants_unavailable');
  const waitMs = session.waitToSubscribeMs();
  if (waitMs > 0) return refuse('rate_limited', waitMs);
  const { name } = subscription;
  const mode = pod.presence?.modeOf(name);
  if (!pod.presence || mode === undefined) return refuse('forbidden');
  try {
    const { count, members } = await pod.presence.of(name);
    if (session.isClosed) return;
    if (subscriptions.named(name) !== subscription) refuse('not_subscribed');
    else if (!subscription.isAdmitted) refuse('grants_unavailable');
    else
      session.pushFrame({
        kind: 'presence',
        id,
        channel: name,
        count,
        ...(mode === 'members' && { members: [...members] }),
      });
  } catch {
    // NATS is away: whom this pod alone knows of would be a wrong answer.
    if (!session.isClosed) refuse('unavailable');
  }
  session.wake();
};

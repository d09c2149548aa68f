// Notifications: what people should notice of what happened, and pushes to the phones of those who are not connected.
// Knows no streams, and no push service.
import { rez } from '@sluice/schemas';
import {
  applied,
  type Consequence,
  type DecisionContext,
  defineService,
  type NewEvent,
  type PastEvent,
  rejected,
  type ServiceCommand,
  type ServiceDefinition,
  type Verdict,
} from '../../service/definition.ts';
import { noticeOf } from './texts.ts';

const MAX_KNOWN = 200;

/** Who is connected, and the newest notifications of each. */
export interface Notices {
  readonly online: Set<string>;
  readonly known: Map<string, string[]>;
}

const fold = ({ online, known }: Notices, event: PastEvent): void => {
  if (event.type === 'user.online') online.add(event.payload.userId);
  else if (event.type === 'user.offline') online.delete(event.payload.userId);
  else if (event.type === 'notification.created') {
    const ids = known.get(event.keys.recipientId) ?? [];
    ids.push(event.payload.notificationId);
    if (ids.length > MAX_KNOWN) ids.shift();
    known.set(event.keys.recipientId, ids);
  }
};

const decide = (state: Notices, command: ServiceCommand): Verdict => {
  if (command.name !== 'notification.mark_read') return rejected('unknown_command', command.name);
  const { sub, ['merchantId']: merchantId } = command.actor;
  const merchants = (Array.isArray(merchantId) ? merchantId : [merchantId]) as unknown[];
  const mine = new Set(
    [sub, ...merchants].flatMap((id) => (typeof id === 'string' ? (state.known.get(id) ?? []) : [])),
  );
  const read = [...new Set(command.data.notificationIds)].filter((id) => mine.has(id));
  // One that is too old to be known is as good as read; one of somebody else's is left alone.
  return applied([], { result: { read } });
};

const react = (state: Notices, event: PastEvent, { id, timestamp }: DecisionContext): readonly Consequence[] => {
  const notice = noticeOf(event);
  if (!notice) return [];
  const { recipientId, title, body, deepLink } = notice;
  const payload = {
    ...{ notificationId: id('n'), title, body },
    ...(deepLink !== undefined && { deepLink }),
    timestamp,
  };
  const keys = { recipientId };
  const created: NewEvent = { type: 'notification.created', keys, payload };
  // A merchant is several people; their tablets ring.
  if (notice.isMerchant) {
    return [{ events: [created, { type: 'notification.sound', keys, payload: { type: 'new_order' } }] }];
  }
  if (state.online.has(recipientId)) return notice.isForAbsent ? [] : [{ events: [created] }];
  const push: NewEvent = { type: 'notification.push_requested', keys, payload: { ...payload, userId: recipientId } };
  return [{ events: [created, push] }];
};

export const notificationsService: ServiceDefinition<Notices> = defineService({
  name: 'notifications',
  catalogue: rez,
  reads: ['user', 'notification.created', 'notification.push_requested'],
  commands: ['notification.mark_read'],
  snapshotVersion: 1,
  initial: () => ({ online: new Set(), known: new Map() }),
  fold,
  decide,
  reactsTo: [
    'order.created',
    'order.status_changed',
    'delivery.arrived',
    'payment.failed',
    'payment.refund_updated',
    'wallet.coins_expiring',
    'feed.user_followed',
    'leaderboard.achievement',
    'chat.message',
  ],
  react,
});

// What concerns one user, whether they are there, and what the back office watches.
import { channel, claim, filter, param, text } from '../../catalogue/define.ts';
import { commandOutcome } from '../command.ts';
import { dashboard } from '../dashboard.ts';
import { delivery } from '../delivery.ts';
import { feed } from '../feed.ts';
import { leaderboard } from '../leaderboard.ts';
import { notification } from '../notification.ts';
import { order } from '../order.ts';
import { payment } from '../payment.ts';
import { ADMINS } from '../roles.ts';
import { user } from '../user.ts';
import { wallet } from '../wallet.ts';

const mine = { userId: param('userId') };

/** Locations and ETAs travel only on the order's channel. */
const userChannel = channel({
  name: 'user:{userId}',
  owner: { userId: claim('sub') },
  first: 'states',
  plain: { userId: claim('sub') },
  joined: 'any',
  access: [
    {
      roles: 'any',
      filters: [
        filter(order, mine, ['created', 'status_changed']),
        filter(delivery, mine),
        filter(payment, mine),
        filter(wallet, mine),
        filter(notification, { recipientId: param('userId') }, ['created']),
        filter(commandOutcome, mine),
        filter(leaderboard, mine, ['rank_change', 'achievement']),
        filter(feed, mine, ['user_followed']),
      ],
    },
  ],
});

/** For friends and members of a common chat. */
const presenceChannel = channel({
  name: 'presence:{userId}',
  first: 'states',
  access: [{ roles: 'any', isGranted: true, filters: [filter(user, mine)] }],
});

/** There is one board: `admin:dashboard`. */
const adminChannel = channel({
  name: 'admin:{board}',
  owner: { board: text('dashboard') },
  first: 'states',
  plain: { board: text('dashboard') },
  joined: ADMINS,
  access: [{ roles: ADMINS, filters: [filter(dashboard, {})] }],
});

export const peopleChannels = [userChannel, presenceChannel, adminChannel] as const;

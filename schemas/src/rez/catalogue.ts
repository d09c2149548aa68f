// The reference domain in one object: what Sluice ships, and what a team replaces with its own.
import { catalogue, type CallsOf, type CommandsOf, type EventsOf } from '../catalogue/define.ts';
import { activity } from './activity.ts';
import { leaderboardRank } from './calls.ts';
import { cart } from './cart.ts';
import { orderChannels } from './channels/orders.ts';
import { peopleChannels } from './channels/people.ts';
import { shopChannels } from './channels/shop.ts';
import { socialChannels } from './channels/social.ts';
import { chat } from './chat.ts';
import { commandOutcome } from './command.ts';
import { cartCommands } from './commands/cart.ts';
import { chatCommands } from './commands/chat.ts';
import { notificationCommands, orderCommands, promotionCommands } from './commands/orders.ts';
import { activityCommands, feedCommands } from './commands/social.ts';
import { walletCommands } from './commands/wallet.ts';
import { dashboard } from './dashboard.ts';
import { delivery } from './delivery.ts';
import { feed } from './feed.ts';
import { leaderboard } from './leaderboard.ts';
import { notification } from './notification.ts';
import { order } from './order.ts';
import { payment } from './payment.ts';
import { product } from './product.ts';
import { promotion } from './promotion.ts';
import { CUSTOMER } from './roles.ts';
import { store } from './store.ts';
import { user } from './user.ts';
import { wallet } from './wallet.ts';

export const rez = catalogue({
  families: [
    order,
    delivery,
    payment,
    chat,
    feed,
    leaderboard,
    activity,
    cart,
    product,
    store,
    promotion,
    wallet,
    notification,
    user,
    commandOutcome,
    dashboard,
  ],
  channels: [...orderChannels, ...peopleChannels, ...socialChannels, ...shopChannels],
  commands: [
    ...chatCommands,
    ...cartCommands,
    ...feedCommands,
    ...activityCommands,
    ...orderCommands,
    ...promotionCommands,
    ...walletCommands,
    ...notificationCommands,
  ],
  calls: [leaderboardRank],
  actorClaims: ['name', 'merchantId'],
  presence: { online: 'user.online', offline: 'user.offline', key: 'userId' },
  role: { claim: 'role', fallback: CUSTOMER },
});

export type RezEvents = EventsOf<typeof rez>;
export type RezCommands = CommandsOf<typeof rez>;
export type RezCalls = CallsOf<typeof rez>;

// The back office's view of the city.
import { Type } from 'typebox';
import { family, moment, state } from '../catalogue/define.ts';
import { Count, Id, Money, Name, Timestamp } from './fields.ts';
import { ADMINS } from './roles.ts';
import { DASHBOARD } from './streams.ts';

export const dashboard = family({
  name: 'dashboard',
  /** `city`: there is one. */
  subject: 'dashboard.{scope}',
  stream: DASHBOARD,
  // No placeholder makes it anybody's own.
  guard: { placeholders: {}, exempt: ADMINS },
  types: {
    new_order: moment(
      Type.Object({
        orderId: Id,
        orderNumber: Type.String({ maxLength: 64 }),
        amount: Money,
        merchant: Type.Object({ id: Id, name: Name }),
        timestamp: Timestamp,
      }),
      { aliases: ['dashboard.newOrder'] },
    ),
    stats: state(
      Type.Object({
        todayOrders: Count,
        todayRevenue: Money,
        activeUsers: Count,
        activeMerchants: Count,
        timestamp: Timestamp,
      }),
    ),
  },
});

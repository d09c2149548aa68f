// What a user has, and what they are about to lose.
import { Type } from 'typebox';
import { family, moment, state } from '../catalogue/define.ts';
import { CausedBy, Count, Id, Timestamp } from './fields.ts';
import { USER } from './streams.ts';

export const wallet = family({
  name: 'wallet',
  subject: 'wallet.{userId}',
  stream: USER,
  guard: { placeholders: { userId: ['sub'] } },
  types: {
    balance_updated: state(
      Type.Object({
        balances: Type.Object({
          rezCoins: Type.Number(),
          brandedCoins: Type.Number(),
          promoCoins: Type.Number(),
          total: Type.Number(),
        }),
        change: Type.Object({
          amount: Type.Number(),
          type: Type.String({ maxLength: 64 }),
          operation: Type.Union([Type.Literal('credit'), Type.Literal('debit')]),
          reason: Type.String({ maxLength: 1_000 }),
          orderId: Type.Optional(Id),
        }),
        timestamp: Timestamp,
        ...CausedBy,
      }),
      { aliases: ['wallet.balanceUpdated'] },
    ),
    coins_expiring: moment(
      Type.Object({
        amount: Type.Number(),
        coinType: Type.String({ maxLength: 64 }),
        expiresAt: Timestamp,
        daysRemaining: Count,
        timestamp: Type.Optional(Timestamp),
      }),
      { aliases: ['wallet.coinsExpiring'] },
    ),
  },
});

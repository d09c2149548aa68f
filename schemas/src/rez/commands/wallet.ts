// Spending what is in the wallet.
import { Type } from 'typebox';
import { command } from '../../catalogue/define.ts';
import { ObjectId } from './fields.ts';

const redeem = command({
  name: 'wallet.redeem',
  roles: 'any',
  offline: 'rejected_with_state',
  schema: Type.Object({
    amount: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    /** Absent: `rezCoins`. */
    coinType: Type.Optional(
      Type.Union([Type.Literal('rezCoins'), Type.Literal('brandedCoins'), Type.Literal('promoCoins')]),
    ),
    orderId: Type.Optional(ObjectId),
  }),
});

export const walletCommands = [redeem] as const;

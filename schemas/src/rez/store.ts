// Whether a store is open.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { Id, Timestamp } from './fields.ts';
import { SHOP } from './streams.ts';

export const store = family({
  name: 'store',
  subject: 'store.{storeId}',
  stream: SHOP,
  types: {
    status_changed: state(
      Type.Object({
        storeId: Id,
        open: Type.Boolean(),
        message: Type.Optional(Type.String({ maxLength: 1_000 })),
        timestamp: Timestamp,
      }),
    ),
  },
});

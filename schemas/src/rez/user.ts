// Whether a user is there: derived from the presence of their devices, which count as one.
import { Type } from 'typebox';
import { family, state } from '../catalogue/define.ts';
import { Id, Timestamp } from './fields.ts';
import { USER } from './streams.ts';

const Transition = Type.Object({ userId: Id, timestamp: Timestamp });

export const user = family({
  name: 'user',
  subject: 'user.{userId}',
  stream: USER,
  guard: { placeholders: { userId: ['sub'] } },
  types: { online: state(Transition), offline: state(Transition) },
});

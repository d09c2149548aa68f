// Shapes in which apps already in the field know a chat's events. Pure; unknown fields pass through.
import type { Reshape, ReshapeToMany } from '../catalogue/define.ts';

/** `message:read`: one event per message, and whoever read it is `userId`. */
export const readsPerMessage: { readonly toOld: ReshapeToMany; readonly fromOld: Reshape } = {
  toOld: ({ messageIds, readBy, ...rest }) =>
    (Array.isArray(messageIds) ? messageIds : []).map((messageId: unknown) => ({ ...rest, messageId, userId: readBy })),
  fromOld: ({ messageId, userId, ...rest }) => ({ ...rest, messageIds: [messageId], readBy: userId }),
};

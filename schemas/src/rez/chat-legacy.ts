// Shapes in which apps already in the field know a chat's events and commands. Pure; unknown fields pass through.
import type { Reshape, ReshapeToMany } from '../catalogue/define.ts';

/** `message:read`: one event per message, and whoever read it is `userId`. */
export const readsPerMessage: { readonly toOld: ReshapeToMany; readonly fromOld: Reshape } = {
  toOld: ({ messageIds, readBy, ...rest }) =>
    (Array.isArray(messageIds) ? messageIds : []).map((messageId: unknown) => ({ ...rest, messageId, userId: readBy })),
  fromOld: ({ messageId, userId, ...rest }) => ({ ...rest, messageIds: [messageId], readBy: userId }),
};

/** `message:send`: the message is `text`. */
export const messageAsText: { readonly toOld: Reshape; readonly fromOld: Reshape } = {
  toOld: ({ message, ...rest }) => ({ ...rest, ...(message !== undefined && { text: message }) }),
  fromOld: ({ text, ...rest }) => ({ ...rest, ...(text !== undefined && { message: text }) }),
};

/** `typing:start` says that it starts, and nothing that it ends. */
export const typingStarts: { readonly toOld: ReshapeToMany; readonly fromOld: Reshape } = {
  toOld: ({ isTyping, ...rest }) => (isTyping === true ? [rest] : []),
  fromOld: (data) => ({ ...data, isTyping: true }),
};

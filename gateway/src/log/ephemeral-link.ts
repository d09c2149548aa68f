// Ephemeral events over NATS: one core subscription for the whole pod, outside every stream. Who caused an event travels in
// a header, since that user's devices are not sent it.
import type { NatsLink } from './nats.ts';
import { subjectText } from './message-bytes.ts';

const SUBJECTS = 'eph.>';
/** The `sub` of the user who caused the event. */
const FROM_HEADER = 'Sluice-From';

/** Lasts as long as the connection, over reconnects. */
export const subscribeEphemeral = (
  link: NatsLink,
  receive: (subject: string, payload: Uint8Array, from: string | undefined) => void,
): void => {
  link.subscribe(SUBJECTS, (message) => {
    const from = message.headers?.last(FROM_HEADER);
    receive(subjectText(message), message.data, from === '' ? undefined : from);
  });
};

/** False if there is no connection. */
export const publishEphemeral = (link: NatsLink, subject: string, payload: Uint8Array, from: string): boolean =>
  link.publishWith({ [FROM_HEADER]: from }, subject, payload);

// Questions between pods over core NATS: outside every stream (no family's subject begins with `$`), never stored.
import type { NatsLink } from '../log/nats.ts';
import { unreachableError, type Roundup } from './channel-presence.ts';

/** Answers questions of all pods until the returned function is called. */
export const answerQuestions = (
  link: NatsLink,
  subject: string,
  answer: (question: string) => string,
): (() => void) => {
  const subscription = link.subscribe(subject, ({ data, reply }) => {
    if (reply) link.publish(reply, answer(textOf(data)));
  });
  return () => subscription.unsubscribe();
};

export const createRoundup = (link: NatsLink, subject: string): Roundup => ({
  ask: (question, onAnswer) => {
    if (!link.isConnected) throw unreachableError();
    const inbox = link.newInbox();
    const subscription = link.subscribe(inbox, ({ data }) => onAnswer(parse(data)));
    link.publish(subject, question, inbox);
    return () => subscription.unsubscribe();
  },
});

export const questionSubject = (bucket: string): string => `$SLUICE.presence.${bucket}.members`;

const textOf = (data: Uint8Array): string => Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8');

const parse = (data: Uint8Array): unknown => {
  try {
    return JSON.parse(textOf(data));
  } catch {
    return undefined;
  }
};

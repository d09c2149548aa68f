// What a sender is called, by the verified token. Pure.
import type { Actor } from '@sluice/schemas';
import { cleanText } from './text.ts';

const MAX_NAME_LENGTH = 200;

/** The token's `name`, or the sub where it names nobody. */
export const nameOfActor = ({ sub, name }: Actor): string => {
  const clean = typeof name === 'string' ? cleanText(name, MAX_NAME_LENGTH) : undefined;
  return clean?.ok ? clean.text : sub;
};

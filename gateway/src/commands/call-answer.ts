// What a service answers to a call: data that fits the catalogue, or a refusal in words of its own. Pure; a service is
// no more trusted to be well-behaved than a producer.
import { isShallowJson, MAX_DEPTH } from '@sluice/schemas';
import type { Validator } from 'typebox/compile';
import { hasLoneSurrogate } from '../delivery/payload-gate.ts';
import { asObject } from '../log/jetstream-api.ts';
import { explain } from './request-check.ts';

export type ParsedAnswer =
  | { readonly kind: 'data'; readonly data: unknown }
  | { readonly kind: 'refusal'; readonly refusal: { readonly code: string; readonly reason?: string } }
  | { readonly kind: 'unusable'; readonly reason: string };

/** As long as the wire's texts. */
const MAX_TEXT_CHARS = 1_024;
/** As deep as an event's data: the answer is one level around it, as the frame is. */
const MAX_ANSWER_DEPTH = MAX_DEPTH + 1;

export const parseAnswer = (validator: Validator, body: Uint8Array): ParsedAnswer => {
  // What no frame could carry: deeper, it would break the encoder of the pod or the decoder of the client.
  if (!isShallowJson(body, MAX_ANSWER_DEPTH)) return { kind: 'unusable', reason: 'is nested too deeply' };
  let parsed: unknown;
  try {
    const json = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
    if (hasLoneSurrogate(json)) return { kind: 'unusable', reason: 'has a text that is not well-formed Unicode' };
    parsed = JSON.parse(json);
  } catch {
    return { kind: 'unusable', reason: 'is not JSON' };
  }
  const answer = asObject(parsed);
  if (answer?.['ok'] === true) {
    const { data } = answer;
    if (validator.Check(data)) return { kind: 'data', data };
    return { kind: 'unusable', reason: `is wrong: ${explain(validator, data, body.length)}` };
  }
  const code = answer?.['ok'] === false ? answer['code'] : undefined;
  if (typeof code !== 'string' || code === '') return { kind: 'unusable', reason: 'is neither data nor a refusal' };
  const reason = answer?.['reason'];
  return {
    kind: 'refusal',
    refusal: { code: cut(code), ...(typeof reason === 'string' && { reason: cut(reason) }) },
  };
};

const cut = (text: string): string => text.slice(0, MAX_TEXT_CHARS);

// The one function through which every claim, grant and channel parameter passes before it enters a NATS subject (I9),
// and the arithmetic of subjects and filters.
import { fail, ok, type Result } from '../result.ts';

const MAX_SUBJECT_TOKEN_BYTES = 128;
// Dots, wildcards, whitespace, control characters (C0, DEL, C1), and lone surrogates, which have no UTF-8 form.
const FORBIDDEN =
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  /[.*>\s\u0000-\u001f\u007f-\u009f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/u;
const text = new TextEncoder();

/** A value that may stand as one token of a subject: it can neither widen a filter nor split a token. */
export type SubjectToken = string & { readonly brand?: 'SubjectToken' };

export type SubjectTokenFault = 'missing' | 'not_text' | 'empty' | 'too_long' | 'forbidden_character';

/** Never throws, never converts: a missing claim does not become the text "undefined". */
export const parseSubjectToken = (value: unknown): Result<SubjectToken, SubjectTokenFault> => {
  if (value === undefined || value === null) return fail('missing');
  if (typeof value !== 'string') return fail('not_text');
  if (value === '') return fail('empty');
  if (value.length > MAX_SUBJECT_TOKEN_BYTES) return fail('too_long');
  // One UTF-16 unit is at most three bytes of UTF-8: short values need not be encoded to be measured.
  if (value.length * 3 > MAX_SUBJECT_TOKEN_BYTES && text.encode(value).length > MAX_SUBJECT_TOKEN_BYTES)
    return fail('too_long');
  if (FORBIDDEN.test(value)) return fail('forbidden_character');
  return ok(value);
};

/** Does `subject` match `filter`? `*` is one token, a final `>` one or more. */
export const isSubjectMatch = (filter: string, subject: string): boolean => {
  const wanted = filter.split('.');
  const given = subject.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return given.length > i;
    if (i >= given.length) return false;
    if (wanted[i] !== '*' && wanted[i] !== given[i]) return false;
  }
  return wanted.length === given.length;
};

/** Is there a subject that both filters match? */
export const doFiltersOverlap = (left: string, right: string): boolean => {
  const a = left.split('.');
  const b = right.split('.');
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === '>' || b[i] === '>') return i < a.length && i < b.length;
    if (a[i] === undefined || b[i] === undefined) return false;
    if (a[i] !== '*' && b[i] !== '*' && a[i] !== b[i]) return false;
  }
  return true;
};

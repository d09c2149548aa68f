// What people write, made fit to be shown to others: as text, never as markup. Pure.

/** Controls, but for tab and line feed; and those that turn the direction of what follows, which can hide words. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNWANTED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

const LONE_SURROGATE = /\p{Surrogate}/gu;

export type CleanText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: 'empty_text' | 'text_too_long'; readonly reason: string };

/** Trimmed, without control characters, at most so many characters (code points). */
export const cleanText = (value: string | undefined, maxLength: number): CleanText => {
  const text = (value ?? '').replaceAll('\r\n', '\n').replace(UNWANTED, '').replace(LONE_SURROGATE, '').trim();
  if (text === '') return { ok: false, code: 'empty_text', reason: 'There is nothing in it' };
  // Not every text is worth taking apart.
  const length = text.length <= maxLength ? text.length : Array.from(text).length;
  if (length > maxLength) {
    return { ok: false, code: 'text_too_long', reason: `${length} characters, at most ${maxLength}` };
  }
  return { ok: true, text };
};

const MAX_URL_LENGTH = 2_048;

/** The address as it may be stored, or undefined: https only, nobody's password in it. */
export const cleanUrl = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > MAX_URL_LENGTH || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return url.href;
};

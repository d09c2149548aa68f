// Reversible spelling of identities that no subject could carry (`auth0|a.b`). Gateways apply it to claims, producers to
// the values that they put into subjects; both must be configured alike.
import { fail, ok, type Result } from '../result.ts';

export const SUBJECT_ENCODINGS = ['none', 'percent'] as const;
export type SubjectEncoding = (typeof SUBJECT_ENCODINGS)[number];

// What parseSubjectToken refuses, the escape itself, and the colon, so that the result may also stand in a channel name.
// Lone surrogates are not escaped: they have no UTF-8 form and stay refused.
// oxlint-disable-next-line no-control-regex -- control characters are the point
const ESCAPED = /[.*>:%\s\u0000-\u001f\u007f-\u009f]/gu;
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * `a.b` becomes `a%2Eb`: each escaped character as its UTF-8 bytes in %XX, upper case. Different values stay different.
 * The result still has to pass `parseSubjectToken`.
 */
export const encodeSubject = (value: string): string =>
  value.replace(ESCAPED, (character) =>
    Array.from(utf8.encode(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

/** The value that `encodeSubject` made this from; `not_encoded` for texts that it never makes. */
export const decodeSubject = (encoded: string): Result<string, 'not_encoded'> => {
  try {
    const decoded = encoded.replace(/(?:%[0-9A-F]{2})+/g, (run) =>
      strictUtf8.decode(Uint8Array.from(run.slice(1).split('%'), (hex) => Number.parseInt(hex, 16))),
    );
    return encodeSubject(decoded) === encoded ? ok(decoded) : fail('not_encoded');
  } catch {
    // The escapes are not UTF-8.
    return fail('not_encoded');
  }
};

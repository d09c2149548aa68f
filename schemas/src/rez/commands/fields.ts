// Field schemas of what clients send. Plain JSON Schema, so that whoever reads the derived documents checks the same.
import { Type } from 'typebox';

// Control characters (C0, DEL, C1) but the tab and the line feed, which texts of several lines have; and lone halves of a
// surrogate pair, which have no UTF-8 form.
const NO_CONTROL = '[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\ud800-\\udfff]';

/** Not empty when trimmed. The service trims; who made the text is never in it. */
export const textField = (maxLength: number) =>
  Type.String({ minLength: 1, maxLength, pattern: `^(?=[\\s\\S]*\\S)${NO_CONTROL}*$` });

// A token takes 128 bytes. JSON Schema counts characters, which have up to four outside ASCII.
const ASCII_ID = '[!-)+,\\-/-=?-~]{1,128}';
const ANY_ID = '[^.*>\\s\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]{1,32}';

/** An id that may become a token of a subject: no dots, wildcards, whitespace, control characters. */
export const ObjectId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: `^(?:${ASCII_ID}|${ANY_ID})$`,
});

/** Without credentials, whitespace or control characters. */
export const HttpsUrl = Type.String({
  maxLength: 2_048,
  pattern:
    '^https://[^\\s/?#@\\\\"<>\\u0000-\\u001f\\u007f-\\u009f]+([/?#][^\\s\\\\"<>\\u0000-\\u001f\\u007f-\\u009f]*)?$',
});

export const Quantity = Type.Integer({ minimum: 1, maximum: 1_000 });

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRemainder, encodeRemainder, hasMoreEvents } from './decision.ts';

test('a remainder survives its header, whatever texts are in it, as one line of printable ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'grapheme' })), (text, texts) => {
      const remainder = {
        events: texts.map((value) => ({ type: 'chat.message', keys: { chatId: 'c-1' }, payload: { value, text } })),
        effects: [],
        outcome: { userId: 'u-1', command: 'a.b', commandId: 'c', timestamp: text, result: { text } },
      };
      const header = encodeRemainder(remainder)!;
      expect(header).toMatch(/^[\x20-\x7e]*$/);
      expect(decodeRemainder(header)).toEqual(remainder);
      expect(hasMoreEvents(header)).toBe(texts.length > 0);
    }),
  );
});

import { rez, scanMsgpack, unpackValue } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProducerError } from './errors.ts';
import { EventEncoder } from './event-encoder.ts';

const msgpack = new EventEncoder(rez, 'msgpack');
const json = new EventEncoder(rez, 'json');
const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };
const event = { orderId: 'o-1', status: 'ready', timestamp: '2026-01-01T00:00:00.000Z' };

test('whatever is let through is one well-formed value, and any other value is refused, never thrown at', () => {
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true });
  fc.assert(
    fc.property(fc.oneof(anything, fc.string({ unit: 'binary' })), (extra) => {
      let bytes: Uint8Array;
      try {
        ({ bytes } = msgpack.encode('order.status_changed', keys, { ...event, extra }));
      } catch (error) {
        expect(error).toBeInstanceOf(ProducerError);
        return;
      }
      expect(scanMsgpack(bytes, 0, bytes.length)).toBe(bytes.length);
      const text = new TextDecoder().decode(json.encode('order.status_changed', keys, { ...event, extra }).bytes);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(unpackValue(bytes))));
    }),
  );
});

test('every JSON document may travel in a field that the schema does not name', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (extra) => {
      // Decoders rename this one key, since assigning it would change the object's prototype.
      fc.pre(!JSON.stringify(extra).includes('"__proto__"'));
      const { bytes } = msgpack.encode('order.status_changed', keys, { ...event, extra });
      expect(JSON.stringify(unpackValue(bytes))).toBe(JSON.stringify({ ...event, extra }));
    }),
  );
});

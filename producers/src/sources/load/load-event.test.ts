import { rez, unpackValue } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { EventEncoder } from '../../event-encoder.ts';
import { createLoadEvent, type LoadType } from './load-event.ts';

const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-12345' };
const NOW = '2026-02-03T04:05:06.789Z';

describe.each(['msgpack', 'json'] as const)('load events in %s', (encoding) => {
  const decode = (bytes: Uint8Array) =>
    (encoding === 'msgpack' ? unpackValue(bytes) : JSON.parse(new TextDecoder().decode(bytes))) as object;

  test.each(['order.status_changed', 'order.location_updated'] as LoadType[])(
    '%s: valid, with serial, time and the size that was asked for',
    (type) => {
      for (const size of [200, 431, 700, 1_024, 2_000, 60_000]) {
        const { subject, render } = createLoadEvent(keys, type, size, encoding);
        const bytes = render(41, 123_456.789, NOW);
        const value = decode(bytes);

        expect(bytes.length).toBeLessThanOrEqual(size);
        expect(bytes.length).toBeGreaterThan(size - 3);
        expect(value).toMatchObject({ orderId: 'o-12345', serial: 41, sentAtMs: 123_456.789, timestamp: NOW });
        expect(new EventEncoder(rez, encoding).encode(type, keys, value).subject).toBe(subject);
      }
    },
  );

  test('the extremes of its numbers keep the size', () => {
    const { render } = createLoadEvent(keys, 'order.status_changed', 250, encoding);
    for (const [serial, sentAtMs] of [
      [0, 0],
      [0xffff_ffff, 9_999_999_999.999],
    ] as const) {
      const bytes = render(serial, sentAtMs, NOW);
      expect(bytes.length).toBe(250);
      expect(decode(bytes)).toMatchObject({ serial, sentAtMs });
    }
  });

  test('a size that the fields alone exceed is refused', () => {
    expect(() => createLoadEvent(keys, 'order.status_changed', 60, encoding)).toThrow(
      expect.objectContaining({ code: 'invalid_option' }) as Error,
    );
  });
});

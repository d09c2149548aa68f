import { describe, expect, test } from 'vitest';
import {
  headerText,
  isDeleteMarker,
  lastHeader,
  numberHeader,
  replyBytes,
  statusOf,
  storeTimeMs,
  subjectText,
} from './message-bytes.ts';

const block = (...lines: string[]): string => `NATS/1.0\r\n${lines.join('\r\n')}\r\n\r\n`;

describe('a header block', () => {
  test('gives the last value of a header', () => {
    const text = block('Nats-Sequence: 999', 'X: Nats-Sequence: 7', 'Nats-Sequence: 4');

    expect(lastHeader(text, 'Nats-Sequence')).toBe('4');
    expect(numberHeader(text, 'Nats-Sequence')).toBe(4);
    expect(lastHeader(text, 'Nats-Stream')).toBeUndefined();
  });

  test.each(['', '-1', '1e3', '0x10', '12345678901234567890', 'x'])('has no number in "%s"', (value) => {
    expect(numberHeader(block(`N: ${value}`), 'N')).toBeUndefined();
  });

  test('has a status only in its first line', () => {
    expect(statusOf('NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\n\r\n')).toBe(204);
    expect(statusOf('NATS/1.0 503\r\n\r\n')).toBe(503);
    expect(statusOf(block('Status: 204'))).toBe(0);
    expect(statusOf('')).toBe(0);
  });

  test.each([
    [true, block('Nats-Marker-Reason: MaxAge')],
    [true, block('KV-Operation: DEL')],
    [true, block('KV-Operation: PURGE', 'Nats-Rollup: sub')],
    [false, block('KV-Operation: PUT')],
    [false, block('X-Nats-Marker-Reason: MaxAge')],
    [false, ''],
  ])('is of a delete marker: %s', (expected, text) => {
    expect(isDeleteMarker(text)).toBe(expected);
  });
});

test.each([
  ['2026-11-21T11:07:14.634780165Z', '2026-11-21T11:07:14.634Z'],
  ['2026-11-21T11:07:14Z', '2026-11-21T11:07:14.000Z'],
  ['2026-11-21T11:07:14.9Z', '2026-11-21T11:07:14.900Z'],
])('the store time %s is cut to milliseconds', (written, expected) => {
  expect(storeTimeMs(written)).toBe(Date.parse(expected));
});

describe('a message', () => {
  const raw = {
    _msg: { subject: Buffer.from('order.ü'), reply: Buffer.from('$JS.ACK.x'), hdr: 12 },
    _rdata: Buffer.from('NATS/1.0\r\n\r\npayload'),
    subject: 'not read',
    data: new Uint8Array(0),
  };

  test('is read through its raw parts', () => {
    expect(subjectText(raw)).toBe('order.ü');
    expect(Buffer.from(replyBytes(raw)!).toString()).toBe('$JS.ACK.x');
    expect(headerText(raw)).toBe('NATS/1.0\r\n\r\n');
  });

  test('is read through its public parts where there are no raw ones', () => {
    const headers = { code: 100, last: (): string => '7', keys: (): string[] => ['Nats-Last-Consumer'] };
    const message = { subject: 'a.b', reply: '$JS.ACK.x', data: new Uint8Array(0), headers };

    expect(subjectText(message)).toBe('a.b');
    expect(Buffer.from(replyBytes(message)!).toString()).toBe('$JS.ACK.x');
    expect(replyBytes({ ...message, reply: '' })).toBeUndefined();
    expect(statusOf(headerText(message))).toBe(100);
    expect(numberHeader(headerText(message), 'Nats-Last-Consumer')).toBe(7);
    expect(headerText({ subject: 'a', data: new Uint8Array(0) })).toBe('');
  });
});

import { describe, expect, test } from 'vitest';
import { StoredHeader } from './stored-header.ts';

const SERVER = [
  'Nats-Stream: ORDER',
  'Nats-Subject: order.m-1.u-1.o-17.created',
  'Nats-Sequence: 52',
  'Nats-Time-Stamp: 2026-11-21T11:07:14.637989657Z',
  'Nats-Num-Pending: 9198',
  'Nats-Last-Sequence: 51',
];

const block = (lines: readonly string[]): Buffer => Buffer.from(`NATS/1.0\r\n${lines.join('\r\n')}\r\n\r\n`);
const read = (lines: readonly string[], header = new StoredHeader()): StoredHeader | undefined =>
  header.read(block(lines)) ? header : undefined;

describe('what the server says of a stored message', () => {
  test('is read', () => {
    expect(read(SERVER)).toMatchObject({
      sequence: 52,
      timeMs: Date.parse('2026-11-21T11:07:14.637Z'),
      subject: 'order.m-1.u-1.o-17.created',
      pending: 9198,
      previous: 51,
    });
  });

  test('goes without the headers of batches for a single read', () => {
    expect(read(SERVER.slice(0, 4))).toMatchObject({ sequence: 52, pending: -1, previous: -1 });
  });

  test('is not what a producer wrote before it', () => {
    const forged = SERVER.map((line) => line.replace(/: .*/, ': 1'));

    expect(read([...forged, 'Nats-Msg-Id: x', ...SERVER.slice(0, 4)])).toMatchObject({
      sequence: 52,
      subject: 'order.m-1.u-1.o-17.created',
      pending: -1,
      previous: -1,
    });
    expect(read([...forged, ...SERVER])).toMatchObject({ sequence: 52, pending: 9198, previous: 51 });
  });

  test.each([
    ['Z without a fraction', '2026-11-21T11:07:14Z', '2026-11-21T11:07:14.000Z'],
    ['one digit', '2026-11-21T11:07:14.6Z', '2026-11-21T11:07:14.600Z'],
    ['two digits', '2026-11-21T11:07:14.06Z', '2026-11-21T11:07:14.060Z'],
    ['nine digits', '2026-12-31T23:59:59.999999999Z', '2026-12-31T23:59:59.999Z'],
  ])('has a store time in whole milliseconds: %s', (_, written, expected) => {
    const header = new StoredHeader();
    read(SERVER, header);

    const lines = SERVER.map((line) => (line.startsWith('Nats-Time') ? `Nats-Time-Stamp: ${written}` : line));

    expect(read(lines, header)?.timeMs).toBe(Date.parse(expected));
    expect(read(lines, header)?.timeMs).toBe(Date.parse(expected));
  });

  test('may have a subject in UTF-8', () => {
    const lines = SERVER.map((line) => (line.startsWith('Nats-Subject') ? 'Nats-Subject: order.straße.ü' : line));

    expect(read(lines)?.subject).toBe('order.straße.ü');
  });

  test.each([
    ['no lines', []],
    ['no sequence', SERVER.filter((line) => !line.startsWith('Nats-Sequence'))],
    ['no time', SERVER.filter((line) => !line.startsWith('Nats-Time'))],
    ['no subject', SERVER.filter((line) => !line.startsWith('Nats-Subject'))],
    ['a time that is none', SERVER.map((line) => (line.startsWith('Nats-Time') ? 'Nats-Time-Stamp: soon' : line))],
    ['a sequence that is none', SERVER.map((line) => (line.startsWith('Nats-Seq') ? 'Nats-Sequence: -5' : line))],
  ])('is incomplete with %s', (_, lines) => {
    expect(read(lines)).toBeUndefined();
  });

  test('is incomplete in a block that is cut', () => {
    const whole = block(SERVER);
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => new StoredHeader().read(whole.subarray(0, length))).not.toThrow();
    }
  });
});

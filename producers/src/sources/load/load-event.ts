// Events for load: valid, of one exact size, made by patching bytes instead of encoding each. Pure.
import { type Encoding, packValue } from '@sluice/schemas';
import { ProducerError } from '../../errors.ts';
import type { OrderKeys } from '../city/order-life.ts';

export type LoadType = 'order.status_changed' | 'order.location_updated';

export interface LoadEvent {
  readonly subject: string;
  /** Fresh bytes. `serial` counts the events of one channel from 0; `sentAtMs` is on the clock of `monotonicNowMs`. */
  readonly render: (serial: number, sentAtMs: number, timestamp: string) => Uint8Array;
}

/** Milliseconds on the machine's own clock, the same one for all its processes: what `sentAtMs` is measured against. */
export const monotonicNowMs = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
};

/** Longest message that the schema allows; more padding goes to a field that no schema names. */
const MAX_MESSAGE_LENGTH = 1_000;
const EXAMPLE_TIMESTAMP = '2026-01-01T00:00:00.000Z';

/** Throws `invalid_option` when the fields alone take more than `payloadBytes`. */
export const createLoadEvent = (
  keys: OrderKeys,
  type: LoadType,
  payloadBytes: number,
  encoding: Encoding,
): LoadEvent => {
  const subject = `order.${keys.merchantId}.${keys.userId}.${keys.orderId}.${type.slice('order.'.length)}`;
  const create = encoding === 'msgpack' ? createMsgpack : createJson;
  return { subject, render: create(keys.orderId, type, payloadBytes) };
};

type Render = LoadEvent['render'];

const fieldsOf = (orderId: string, type: LoadType): Readonly<Record<string, unknown>> =>
  type === 'order.status_changed'
    ? { orderId, status: 'preparing' }
    : { orderId, location: { latitude: 12.9716, longitude: 77.5946 } };

/** Both names have seven letters: which one it is does not change the size. */
const paddingName = (length: number): string => (length <= MAX_MESSAGE_LENGTH ? 'message' : 'padding');

const createMsgpack = (orderId: string, type: LoadType, payloadBytes: number): Render => {
  const build = (length: number): Uint8Array =>
    packValue({
      // Values that msgpackr can only write at full width: uint32 and float64.
      ...{ ...fieldsOf(orderId, type), serial: 0xffff_ffff, sentAtMs: 0.1, timestamp: EXAMPLE_TIMESTAMP },
      [paddingName(length)]: '.'.repeat(length),
    });
  const template = Buffer.from(pad(payloadBytes, (length) => build(length)));
  const serialAt = template.indexOf('serial') + 'serial'.length + 1;
  const sentAt = template.indexOf('sentAtMs') + 'sentAtMs'.length + 1;
  const timestampAt = template.indexOf(EXAMPLE_TIMESTAMP);
  return (serial, sentAtMs, timestamp) => {
    const bytes = Buffer.allocUnsafe(template.length);
    bytes.set(template);
    bytes.writeUInt32BE(serial, serialAt);
    bytes.writeDoubleBE(sentAtMs, sentAt);
    bytes.write(timestamp, timestampAt, 'latin1');
    return bytes;
  };
};

const createJson = (orderId: string, type: LoadType, payloadBytes: number): Render => {
  const head = JSON.stringify(fieldsOf(orderId, type)).slice(0, -1);
  const write = (serial: number, sentAtMs: string, timestamp: string, length: number): string =>
    `${head},"serial":${serial},"sentAtMs":${sentAtMs},"timestamp":"${timestamp}",` +
    `"${paddingName(length)}":"${'.'.repeat(length)}"}`;
  const bareLength = write(0, '', EXAMPLE_TIMESTAMP, 0).length - 1;
  // The longest numbers that can come, so that a run does not fail in its middle.
  pad(payloadBytes, (length) => Buffer.from(write(0xffff_ffff, '9999999999.999', EXAMPLE_TIMESTAMP, length)));
  return (serial, sentAtMs, timestamp) => {
    const sentAt = sentAtMs.toFixed(3);
    const length = payloadBytes - bareLength - sentAt.length - String(serial).length;
    return Buffer.from(write(serial, sentAt, timestamp, length), 'latin1');
  };
};

/** msgpack has sizes that no padding reaches (a longer length field comes with it): then a byte or two less. */
const pad = (payloadBytes: number, build: (length: number) => Uint8Array): Uint8Array => {
  const bare = build(0).length;
  for (let length = payloadBytes - bare; length >= 0; length--) {
    const bytes = build(length);
    if (bytes.length <= payloadBytes) return bytes;
  }
  throw new ProducerError('invalid_option', { path: 'payloadBytes', reason: `is ${payloadBytes}, at least ${bare}` });
};

import { describe, expect, test } from 'vitest';
import { DeliverySubject } from './delivery-subject.ts';

const SHORT = '$JS.ACK.ORDER.sluice-abc.1.4711.17.1795260381290000009.7';
const LONG = '$JS.ACK._.Xr3kQ1.ORDER.sluice-abc.1.4711.17.1795260381291408147.250.aB3';
const LONG_WITHOUT_TOKEN = '$JS.ACK.hub.Xr3kQ1.ORDER.sluice-abc.1.4711.17.1795260381290000009.0';

const parse = (subject: string, parser = new DeliverySubject()): DeliverySubject | undefined =>
  parser.parse(Buffer.from(subject)) ? parser : undefined;

describe('the reply subject of a delivery', () => {
  test.each([
    ['the short form', SHORT, 1_795_260_381_290, 7],
    ['the long form', LONG, 1_795_260_381_291, 250],
    ['the long form without a token', LONG_WITHOUT_TOKEN, 1_795_260_381_290, 0],
  ])('is read in %s', (_, subject, timeMs, pending) => {
    expect(parse(subject)).toMatchObject({ sequence: 4711, consumerSequence: 17, timeMs, pending });
  });

  test('keeps every digit of a large sequence', () => {
    const subject = SHORT.replace('4711', '9007199254740991');

    expect(parse(subject)?.sequence).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('is read again and again by one parser', () => {
    const parser = new DeliverySubject();

    expect(parse(LONG, parser)?.consumerSequence).toBe(17);
    expect(parse(LONG.replace('.17.', '.18.'), parser)?.consumerSequence).toBe(18);
  });

  test.each([
    ['', 'nothing'],
    ['$JS.FC.ORDER.sluice-abc.xyz', 'flow control'],
    ['_INBOX.abc.def', 'an inbox'],
    ['$JS.ACK', 'a beginning'],
    ['$JS.ACK.ORDER.sluice-abc.1.4711', 'too few tokens'],
    ['$JS.ACK.ORDER.sluice-abc.1.x.17.1795260381290000009.7', 'letters for a sequence'],
    ['$JS.ACK.ORDER.sluice-abc.1.4711..1795260381290000009.7', 'an empty sequence'],
    ['$JS.ACK.ORDER.sluice-abc.1.0.0.1795260381290000009.7', 'sequences of nought'],
  ])('is not "%s" (%s), neither at first nor later', (subject) => {
    const used = new DeliverySubject();
    used.parse(Buffer.from(SHORT));

    expect(parse(subject)).toBeUndefined();
    expect(parse(subject, used)).toBeUndefined();
  });
});

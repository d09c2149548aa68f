import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { createLog, throttleLog, type Logger } from './log.ts';

const capture = (isPretty = false): { log: Logger; lines: string[] } => {
  const lines: string[] = [];
  const destination = {
    write: (line: string): void => {
      lines.push(line);
    },
  };
  return { lines, log: createLog({ level: 'info', isPretty, destination }) };
};

test('writes one JSON line per entry, with level and time as text', () => {
  const { log, lines } = capture();

  log.info({ stream: 'ORDER' }, 'reading');
  log.debug('not this one');

  expect(lines.length).toBe(1);
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    stream: 'ORDER',
    msg: 'reading',
  });
});

test.each([false, true])('no token gets out, wherever it is (pretty: %s)', async (isPretty) => {
  const token = await new SignJWT({ sub: 'u-1', email: 'joe@example.com' })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from('a shared secret of at least thirty-two bytes'));
  const { log, lines } = capture(isPretty);

  log.info({ token }, 'a field');
  log.info({ hello: { token }, headers: { authorization: `Bearer ${token}` } }, 'nested fields');
  log.info({ url: `/v1/ws?token=${token}&x=1` }, 'a URL');
  log.warn({ err: new Error(`cannot verify ${token}`) }, `a message with ${token}`);
  log.info({ a: { b: { c: { d: [token] } } } }, 'deep');
  log.child({ token }).info('a child');

  const [header, payload, signature] = token.split('.');
  expect(lines.length).toBe(6);
  for (const part of [header!, payload!, signature!]) expect(lines.join('').includes(part)).toBe(false);
});

test('fields that hold secrets are hidden by name', () => {
  const { log, lines } = capture();

  log.info({ password: 'swordfish', config: { natsPassword: 'swordfish', tokenSecret: 'swordfish' } }, 'started');

  expect(lines.join('')).not.toContain('swordfish');
  expect(lines.join('')).toContain('(hidden)');
});

test('lines for people are no JSON', () => {
  const { log, lines } = capture(true);

  log.info({ port: 8_080 }, 'listening');

  expect(lines.join('')).toMatch(/INFO.*listening/);
  expect(lines.join('')).toContain('8080');
});

test('a throttled log writes some and counts the rest', () => {
  const { log, lines } = capture();
  let nowMs = 0;
  const write = throttleLog(log, 'warn', { perSecond: 1, burst: 2 }, { now: () => nowMs });

  const written = Array.from({ length: 10 }, (_, i) => write({ sequence: i }, 'payload refused'));
  nowMs = 1_000;
  write({ sequence: 10 }, 'payload refused');
  nowMs = 3_000;
  write({ sequence: 11 }, 'payload refused');

  expect(written.filter(Boolean).length).toBe(2);
  const entries = lines.map((line) => JSON.parse(line) as { sequence: number; suppressed?: number });
  expect(entries.map(({ sequence, suppressed }) => [sequence, suppressed])).toEqual([
    [0, undefined],
    [1, undefined],
    [10, 8],
    [11, undefined],
  ]);
});

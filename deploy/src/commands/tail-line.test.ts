import { expect, test } from 'vitest';
import { toJsonLine, toLine, type ViewedEvent } from './tail-line.ts';

const event: ViewedEvent = {
  channel: 'order:o-17',
  type: 'order.status_changed',
  epoch: 'e1',
  sequence: 42,
  timeMs: 1_000,
  data: { status: 'ready' },
};

test('a line says how it came, sequence, type, age and payload', () => {
  expect(toLine(event, 'caught_up', 1_012, false)).toBe(
    'caught up        42  order.status_changed         12 ms  {"status":"ready"}',
  );
});

test('an event of a server whose clock is ahead is new, not from the future', () => {
  expect(toLine(event, 'live', 400, false)).toContain(' 0 ms ');
});

test('colours are only for those who want them', () => {
  expect(toLine(event, 'live', 1_000, true)).toContain('\x1b[');
  expect(toLine(event, 'live', 1_000, false)).not.toContain('\x1b');
});

test('a payload cannot command the terminal', () => {
  const data = { text: '\x1b[2J\u009b31m\u202egnp.exe\u2028\r\n' };

  const line = toLine({ ...event, type: 'a\x1b[2Jb', data }, 'live', 1_000, false);

  // oxlint-disable-next-line no-control-regex
  expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
  expect(line).toContain(String.raw`\u009b31m\u202egnp.exe`);
});

test('a JSON line is one object that reads back', () => {
  const line = toJsonLine({ ...event, data: { text: 'a\u009b\nb', bytes: new Uint8Array([1, 2]) } }, 'first', 1_500);

  expect(line).not.toContain('\n');
  expect(JSON.parse(line)).toEqual({
    ...event,
    ageMs: 500,
    arrival: 'first',
    data: { text: 'a\u009b\nb', bytes: 'AQI=' },
  });
});

// The terminal viewer as a person runs it: a process, a channel, lines.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { eventually, within } from '../kit/eventually.ts';
import { test as base } from '../kit/fixtures.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import { startProcess, type TestProcess } from '../kit/process.ts';
import { customerToken } from '../kit/token.ts';

const SLUICE = fileURLToPath(new URL('../../deploy/bin/sluice.mjs', import.meta.url));

interface Line {
  sequence: number;
  type: string;
  arrival: 'first' | 'caught_up' | 'live';
  ageMs: number;
  data: { mark: number };
}

interface TailFixtures {
  /** Runs until it is live, or where it ends by itself until it says how to go on. */
  tail: (...args: string[]) => Promise<TestProcess>;
}

const test = base.extend<TailFixtures>({
  tail: async ({ gateway }, use) => {
    const running: TestProcess[] = [];
    await use(async (...args) => {
      const viewer = await startProcess({
        name: 'sluice tail',
        command: process.execPath,
        args: [SLUICE, 'tail', ...args, '--url', gateway.url, '--token', await customerToken()],
        isReady: (line) => line === '-- live' || line.startsWith('-- to go on'),
      });
      running.push(viewer);
      return viewer;
    });
    await Promise.all(running.map((viewer) => viewer.kill()));
  },
});

const linesOf = (viewer: TestProcess): Line[] =>
  viewer.log().flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []));

const marks = (lines: readonly Line[]): number[] => lines.map(({ data }) => data.mark);

test('a viewer shows what is, then what happens', async ({ connection, tail }) => {
  await publishOrderEvents(connection, 3);
  const viewer = await tail('order:o-17');

  await publishOrderEvents(connection, 1, { startAt: 3, types: ['payment.confirmed'] });

  const last = await eventually(() => viewer.log().find((line) => line.includes('payment.confirmed')));
  expect(viewer.log()[0]).toMatch(/^first +3 {2}order\.status_changed +\d+ ms {2}\{"orderId":"o-17".*"mark":2\}$/);
  expect(last).toMatch(/^live +1 {2}payment\.confirmed +\d+ ms {2}\{.*"mark":3\}$/);
});

test('a viewer that cuts its own connection shows what it missed before it goes on', async ({ connection, tail }) => {
  const viewer = await tail('order:o-17', '--cut', '500ms', '--away', '1s', '--first', 'none', '--json');
  await eventually(() => viewer.log().some((line) => line.startsWith('-- cut')));
  await publishOrderEvents(connection, 5);
  await eventually(() => viewer.log().filter((line) => line === '-- live').length === 2);
  await publishOrderEvents(connection, 2, { startAt: 5 });
  await eventually(() => linesOf(viewer).length === 7);

  expect(marks(linesOf(viewer))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(linesOf(viewer).map(({ arrival }) => arrival)).toEqual([
    ...Array.from({ length: 5 }, () => 'caught_up'),
    'live',
    'live',
  ]);
});

test('a viewer that has shown a conflated type says at the cut that the newest is all that will come', async ({
  connection,
  tail,
}) => {
  await publishOrderEvents(connection, 1, { types: ['order.location_updated'] });
  const viewer = await tail('order:o-17', '--cut', '1s', '--away', '1s', '--first', 'all');

  const cut = await eventually(() => viewer.log().find((line) => line.startsWith('-- cut')));
  expect(cut).toBe('-- cut: away for 1 s; of order.location_updated the newest comes afterwards');
});

test('a position that a viewer printed is where the next one goes on', async ({ connection, tail }) => {
  await publishOrderEvents(connection, 4);
  const first = await tail('order:o-17', '--first', 'all', '--count', '2', '--json');
  expect(await within(first.exited, 5_000, 'the viewer to end')).toEqual({ code: 0, signal: null });
  const from = /--from='([^']+)'/.exec(first.log().at(-1)!)![1]!;

  const second = await tail('order:o-17', `--from=${from}`, '--json');

  expect(marks(linesOf(first))).toEqual([0, 1]);
  expect(linesOf(second).map(({ arrival, data }) => `${arrival} ${data.mark}`)).toEqual(['caught_up 2', 'caught_up 3']);
});

test.for([
  { args: ['--last', '2'], expected: [2, 3] },
  { args: ['--since', '1h'], expected: [0, 1, 2, 3] },
])('$args is where a viewer starts', async ({ args, expected }, { connection, tail }) => {
  await publishOrderEvents(connection, 4);

  const viewer = await tail('order:o-17', '--json', ...args);

  expect(marks(linesOf(viewer))).toEqual(expected);
});

test('an interrupted viewer says how to go on', async ({ connection, tail }) => {
  await publishOrderEvents(connection, 1);
  const viewer = await tail('order:o-17');

  const exit = await viewer.stop();

  expect(exit.code).toBe(0);
  expect(viewer.log().at(-1)).toMatch(/^-- to go on from here: npx sluice tail 'order:o-17' --from='[^']+'$/);
});

test('a channel that is not granted is one line', async ({ tail }) => {
  const viewer = await tail('merchant:m-1').catch((error: Error) => error.message);

  expect(viewer).toContain('merchant:m-1: The token does not grant this channel or command. (forbidden)');
});

test('a gateway that is not there is one line', async ({ gateway, tail }) => {
  await gateway.kill();

  const viewer = await tail('order:o-17').catch((error: Error) => error.message);

  expect(viewer).toContain(`No gateway answers at ${gateway.url}. Is it running?`);
});

test('a pipe that closes ends the viewer without a word', async ({ connection, gateway }) => {
  await publishOrderEvents(connection, 50);
  const args = [SLUICE, 'tail', 'order:o-17', '--first', 'all', '--url', gateway.url, '--token', await customerToken()];
  const viewer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  viewer.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  viewer.stdout.once('data', () => viewer.stdout.destroy());
  const exited = once(viewer, 'exit');
  const steady = setInterval(() => void publishOrderEvents(connection, 1), 50);

  const [code] = (await within(exited, 10_000, 'the viewer to end').finally(() => clearInterval(steady))) as [number];

  expect(code).toBe(0);
  expect(complaints).not.toMatch(/error|EPIPE/i);
});

import { expect, test } from 'vitest';
import { serverArguments } from './nats.ts';
import { parseSubject } from './token.ts';

const running = async (): Promise<{ natsUrl: string }> => ({ natsUrl: 'nats://127.0.0.1:4222' });
const nothingRuns = async (): Promise<never> => {
  throw new Error('asked for the local stack');
};

test('the CLI is pointed at the local stack', async () => {
  expect(await serverArguments(['pub', 'a', 'help'], {}, running)).toEqual(['--server', 'nats://127.0.0.1:4222']);
});

test('SLUICE_NATS_URL names the stack where it is set', async () => {
  const env = { SLUICE_NATS_URL: 'nats://example:4222' };

  expect(await serverArguments(['pub', 'a', 'b'], env, nothingRuns)).toEqual(['--server', 'nats://example:4222']);
});

test.each([
  [['--server', 'x', 'pub']],
  [['--server=x', 'pub']],
  [['-s', 'x', 'pub']],
  [['pub', '--context=prod', 'a']],
  [['--help']],
  [['help', 'pub']],
  [[]],
])('%j is passed on as it is', async (args) => {
  expect(await serverArguments(args, {}, nothingRuns)).toEqual([]);
});

test('a token is asked for by user, role and merchants', () => {
  expect(parseSubject(['--help'])).toBe('help');
  expect(parseSubject(['--sub', 'u-1'])).toEqual({ sub: 'u-1' });
  expect(parseSubject(['--sub', 'u-2', '--role', 'merchant_owner', '--merchant', 'm-1', '--merchant', 'm-2'])).toEqual({
    sub: 'u-2',
    role: 'merchant_owner',
    merchantIds: ['m-1', 'm-2'],
  });
});

test.each([[[]], [['--sub']], [['--sub', 'u-1', '--rule', 'admin']], [['--sub', 'u-1', 'extra']]])(
  'token %j is refused',
  (args) => {
    expect(() => parseSubject(args)).toThrow(expect.objectContaining({ code: 'bad_arguments' }));
  },
);

import { expect, test } from 'vitest';
import type { Guard } from '../guard.ts';
import type { Part } from './part.ts';
import { Stack } from './stack.ts';

function createPart(name: string, events: string[]): Part & { die(how: string): void } {
  let settle: (how: string) => void = () => undefined;
  const exited = new Promise<string>((resolve) => (settle = resolve));
  return {
    name,
    pid: name.length,
    exited,
    logFile: '',
    die: (how) => settle(how),
    stop: async () => {
      events.push(`stop ${name}`);
      settle('SIGTERM');
      await exited;
      events.push(`${name} is gone`);
    },
  };
}

function createGuard(events: string[]): Guard {
  return {
    pid: 1,
    watch: (pid) => events.push(`watch ${pid}`),
    forget: (pid) => events.push(`forget ${pid}`),
    close: () => events.push('close guard'),
  };
}

test('parts stop one after the other, newest first, and the guard last', async () => {
  const events: string[] = [];
  const stack = new Stack(createGuard([]));
  await stack.add(createPart('nats', events));
  await stack.add(createPart('gateway', events));

  await stack.stop((name) => events.push(`say ${name}`));

  expect(events).toEqual(['say gateway', 'stop gateway', 'gateway is gone', 'say nats', 'stop nats', 'nats is gone']);
});

test('a part that ends by itself is reported, with how it ended', async () => {
  const stack = new Stack(createGuard([]));
  const gateway = createPart('gateway', []);
  await stack.add(createPart('nats', []));
  await stack.add(gateway);

  gateway.die('code 3');

  expect(await stack.firstExit).toEqual({ part: gateway, how: 'code 3' });
});

test('a part that comes up while the stack stops is stopped at once', async () => {
  const events: string[] = [];
  const stack = new Stack(createGuard([]));
  await stack.stop(() => undefined);

  const isKept = await stack.add(createPart('city', events));

  expect(isKept).toBe(false);
  expect(events).toEqual(['stop city', 'city is gone']);
});

test('the guard watches a part from its start to its end', async () => {
  const events: string[] = [];
  const stack = new Stack(createGuard(events));
  await stack.add(createPart('city', []));

  await stack.stop(() => undefined);

  expect(events).toEqual(['watch 4', 'forget 4', 'close guard']);
});

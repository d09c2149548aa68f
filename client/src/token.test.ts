import { CLOSE_CODES } from '@sluice/schemas';
import { describe, expect, test, vi } from 'vitest';
import { settle, setUp } from './client.fixture.ts';

describe('tokens', () => {
  test('a callback is asked once, and again when its token has expired', async () => {
    const token = vi.fn(async () => `token-${token.mock.calls.length}`);
    const { gateway, clock, client } = setUp({ token });
    client.connect();
    await settle();
    gateway.welcome().close(1006);
    clock.advance(500);
    gateway.link.open();
    expect(gateway.link.last('hello').token).toBe('token-1');

    gateway.link.close(CLOSE_CODES.token_expired);
    await settle();
    gateway.link.open();

    expect(gateway.link.last('hello').token).toBe('token-2');
    expect(client.state).toEqual({ kind: 'reconnecting', attempt: 1 });
  });

  test('it is refreshed over the open connection before it expires, and nobody sees it', async () => {
    const token = vi.fn(async () => `token-${token.mock.calls.length}`);
    const { gateway, clock, client, states, errors } = setUp({ token });
    client.connect();
    await settle();
    const link = gateway.welcome({ expiresInMs: 40_000 });
    clock.advance(33_000);
    await settle();
    const { id, token: fresh } = link.last('auth');
    link.send({ kind: 'ok', id });

    expect(fresh).toBe('token-2');
    expect(states.map(({ kind }) => kind)).toEqual(['connecting', 'connected']);
    expect(errors).toEqual([]);
  });

  test('token_expiring asks for one as well', async () => {
    const { gateway, client } = setUp({ token: async () => 'token' });
    client.connect();
    await settle();
    const link = gateway.welcome();
    link.send({ kind: 'token_expiring', inMs: 30_000 });
    await settle();

    expect(link.last('auth').token).toBe('token');
  });

  test('a callback that did not answer is asked again when the gateway warns', async () => {
    const answers: ((token: string) => void)[] = [];
    const token = vi.fn(() => new Promise<string>((resolve) => answers.push(resolve)));
    const { gateway, clock, client } = setUp({ token });
    client.connect();
    answers[0]!('token-1');
    await settle();
    const link = gateway.welcome({ expiresInMs: 40_000 });
    clock.advance(33_000);
    link.send({ kind: 'token_expiring', inMs: 7_000 });
    answers[2]!('token-2');
    await settle();

    expect(token).toHaveBeenCalledTimes(3);
    expect(link.last('auth').token).toBe('token-2');
    expect(link.received.filter(({ kind }) => kind === 'auth')).toHaveLength(1);
  });

  test('a reconnect does not start with a token that is about to expire', async () => {
    const token = vi.fn(async () => 'token');
    const { gateway, clock, client } = setUp({ token });
    client.connect();
    await settle();
    gateway.welcome({ expiresInMs: 10_000 }).close(1006);
    client.networkChanged(false);
    clock.advance(9_500);
    client.networkChanged(true);

    expect(token).toHaveBeenCalledTimes(2);
  });

  test('one that is refused as expired after every welcome does not make the client hurry', async () => {
    const { gateway, client } = setUp({ token: async () => 'token' });
    client.connect();
    for (let i = 0; i < 10 && client.state.kind === 'connecting'; i++) {
      await settle();
      gateway.welcome().close(CLOSE_CODES.token_expired);
    }

    expect(gateway.links).toHaveLength(2);
    expect(client.state).toEqual({ kind: 'reconnecting', attempt: 1 });
  });

  test('the fresh one is refreshed in its turn, and is not used beyond its end either', async () => {
    const token = vi.fn(async () => `token-${token.mock.calls.length}`);
    const { gateway, clock, client } = setUp({ token });
    client.connect();
    await settle();
    const link = gateway.welcome({ expiresInMs: 40_000 });
    clock.advance(10_000);
    link.send({ kind: 'token_expiring', inMs: 30_000 });
    await settle();
    link.send({ kind: 'ok', id: link.last('auth').id, expiresInMs: 40_000 });
    clock.advance(32_999);
    expect(token).toHaveBeenCalledTimes(2);
    clock.advance(1);
    expect(token).toHaveBeenCalledTimes(3);
    await settle();
    link.send({ kind: 'ok', id: link.last('auth').id, expiresInMs: 10_000 });
    client.networkChanged(false);
    clock.advance(9_500);
    client.networkChanged(true);

    expect(token).toHaveBeenCalledTimes(4);
  });

  test('that of a client that was closed is not used again: another user may have signed in', async () => {
    const token = vi.fn(async () => `token-${token.mock.calls.length}`);
    const { gateway, client } = setUp({ token });
    client.connect();
    await settle();
    gateway.welcome({ expiresInMs: 3_600_000 });
    client.close();
    client.connect();
    await settle();
    gateway.link.open();

    expect(gateway.link.last('hello').token).toBe('token-2');
  });

  test('a callback that fails counts as a failed attempt, with its cause', async () => {
    const cause = new Error('no session');
    const { gateway, client, errors } = setUp({ token: () => Promise.reject(cause) });
    const causes: unknown[] = [];
    client.on('error', (error) => causes.push(error.cause));
    client.connect();
    await settle();

    expect(client.state).toEqual({ kind: 'reconnecting', attempt: 1 });
    expect(errors).toEqual(['token_unavailable']);
    expect(causes).toEqual([cause]);
    expect(gateway.links).toHaveLength(0);
  });

  test('a callback that never answers does not hold the client up', async () => {
    const { clock, client } = setUp({ token: () => new Promise(() => {}), attemptTimeoutMs: 2_000 });
    client.connect();
    clock.advance(2_000);

    expect(client.state).toEqual({ kind: 'reconnecting', attempt: 1 });
  });

  test('an answer that comes after the attempt was given up is not used', async () => {
    const answers: ((token: string) => void)[] = [];
    const token = () => new Promise<string>((resolve) => answers.push(resolve));
    const { gateway, clock, client } = setUp({ token, attemptTimeoutMs: 2_000 });
    client.connect();
    clock.advance(2_500);
    answers[0]!('late');
    await settle();
    expect(gateway.links).toHaveLength(0);

    answers[1]!('in time');
    await settle();
    gateway.link.open();

    expect(gateway.link.last('hello').token).toBe('in time');
  });
});

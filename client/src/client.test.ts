import { CLOSE_CODES, type DownFrame } from '@sluice/schemas';
import { describe, expect, test, vi } from 'vitest';
import { createClientOver } from './door.ts';
import { ClientError } from './errors.ts';
import type { ClientOptions } from './options.ts';
import { event, ManualClock, ScriptedGateway, subscribed, welcome } from './scripted.fixture.ts';
import type { ConnectionState } from './state.ts';

const setUp = (options: Partial<ClientOptions> = {}) => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const client = createClientOver(() => gateway.transport)({
    url: 'ws://gateway.test:8080',
    token: 'token-1',
    clock,
    random: () => 0.5,
    ...options,
  });
  const states: ConnectionState[] = [];
  const errors: string[] = [];
  client.on('state', (state) => states.push(state));
  client.on('error', (error) => errors.push(error.code));
  return { gateway, clock, client, states, errors };
};

/** Lets promises of token callbacks settle; no time passes. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const refused = (id: number, code: string, retryAfterMs?: number): DownFrame => ({
  kind: 'error',
  code,
  message: code,
  id,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

describe('connecting', () => {
  test('says hello only after the socket has opened, with the subscribes behind it in the same message', () => {
    const { gateway, client } = setUp();
    client.subscribe('order:o-1');
    client.subscribe('user:u-1', { first: { last: 5 } });
    client.connect();
    expect(gateway.link.messages).toEqual([]);

    gateway.link.open();

    expect(gateway.link.messages).toHaveLength(1);
    expect(gateway.link.received).toEqual([
      { kind: 'hello', version: 1, token: 'token-1', agent: 'sluice-js', isJoining: true },
      { kind: 'subscribe', id: 1, channel: 'order:o-1' },
      { kind: 'subscribe', id: 2, channel: 'user:u-1', first: { last: 5 } },
    ]);
  });

  test('more subscribes than a first message takes follow the welcome', () => {
    const { gateway, client } = setUp();
    for (let i = 0; i < 300; i++) client.subscribe(`order:o-${i}`);
    client.connect();

    gateway.link.open();
    const before = gateway.link.received.length;
    gateway.link.send(welcome());

    expect(before).toBe(128);
    expect(gateway.link.received.filter(({ kind }) => kind === 'subscribe')).toHaveLength(300);
  });

  test('a subscription between hello and welcome is sent after the welcome', () => {
    const { gateway, client } = setUp();
    client.connect();
    gateway.link.open();
    client.subscribe('order:o-1');
    expect(gateway.link.received).toHaveLength(1);

    gateway.link.send(welcome());

    expect(gateway.link.last('subscribe').channel).toBe('order:o-1');
  });

  test.each([
    ['ws://a.test', 'ws://a.test/v1/ws'],
    ['https://a.test:1/', 'wss://a.test:1/v1/ws'],
    ['http://a.test/elsewhere', 'ws://a.test/elsewhere'],
  ])('%s means %s', (url, expected) => {
    const { gateway, client } = setUp({ url });
    client.connect();

    expect(gateway.urls).toEqual([expected]);
  });

  test.each(['', 'gateway', 'ftp://a.test'])('the address "%s" is refused', (url) => {
    expect(() => setUp({ url })).toThrow(expect.objectContaining({ code: 'invalid_url' }));
  });

  test('an address is read also where URL.canParse is not known', () => {
    vi.stubGlobal(
      'URL',
      class extends URL {
        static override canParse = undefined as never;
      },
    );
    try {
      expect(() => setUp({ url: 'ws://a.test' })).not.toThrow();
      expect(() => setUp({ url: 'gateway' })).toThrow(expect.objectContaining({ code: 'invalid_url' }));
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test.each(['msgpack', 'json'] as const)('speaks %s', (encoding) => {
    const { gateway, client } = setUp({ encoding });
    const seen: unknown[] = [];
    client.subscribe('order:o-1').on('event', ({ data }) => seen.push(data));
    client.connect();
    const link = gateway.welcome();
    link.send(subscribed(1, 'order:o-1'), event(1, 5));

    expect(link.subprotocol).toBe(`sluice.v1.${encoding}`);
    expect(typeof link.messages[0]).toBe(encoding === 'json' ? 'string' : 'object');
    expect(seen).toEqual([{ sequence: 5 }]);
  });

  test('an option that is undefined is one that was not given', () => {
    const { gateway, client } = setUp({ agent: undefined, maxAttempts: undefined, random: undefined } as never);
    client.connect();
    gateway.welcome();

    expect(gateway.link.last('hello').agent).toBe('sluice-js');
  });

  test('says of a long agent what a gateway takes', () => {
    const { gateway, client } = setUp({ agent: `Mozilla/5.0 👋${' (iPhone)'.repeat(20)}` });
    client.connect();
    gateway.link.open();

    expect(gateway.link.last('hello').agent).toMatch(/^Mozilla\/5\.0  \(iPhone\)/);
    expect(gateway.link.last('hello').agent).toHaveLength(128);
  });

  test('shows connecting, connected, reconnecting (n), disconnected', () => {
    const { gateway, clock, client, states } = setUp();
    client.connect();
    gateway.welcome().close(1006);
    clock.advance(500);
    gateway.link.close(1006);
    clock.advance(1_000);
    gateway.welcome();
    client.close();

    expect(states).toEqual([
      { kind: 'connecting' },
      { kind: 'connected' },
      { kind: 'reconnecting', attempt: 1 },
      { kind: 'reconnecting', attempt: 2 },
      { kind: 'connected' },
      { kind: 'disconnected' },
    ]);
  });

  test('the state is the same object until it changes, as what renders it expects', () => {
    const { gateway, client, states } = setUp();
    client.connect();
    gateway.welcome();

    expect(client.state).toBe(client.state);
    expect(client.state).toBe(states.at(-1));
  });

  test('connected() resolves with the welcome and rejects with the code of a failure', async () => {
    const first = setUp();
    first.client.connect();
    const connected = first.client.connected();
    first.gateway.welcome();
    await connected;

    const second = setUp();
    second.client.connect();
    const refusedConnection = second.client.connected();
    second.gateway.link.open();
    second.gateway.link.close(CLOSE_CODES.token_invalid);
    await expect(refusedConnection).rejects.toMatchObject({ code: 'token_invalid' });
    expect(second.errors).toEqual(['token_invalid']);
  });

  test('an attempt that gets no welcome is given up and made again', () => {
    const { gateway, clock, client } = setUp({ attemptTimeoutMs: 3_000 });
    client.connect();
    gateway.link.open();

    clock.advance(3_000);
    const abandoned = gateway.link;
    clock.advance(500);

    expect(abandoned.closedByClient).toBe(1000);
    expect(gateway.links).toHaveLength(2);
  });

  test('a closed client leaves no timer and no connection behind', () => {
    const { gateway, clock, client } = setUp();
    client.subscribe('order:o-1');
    client.connect();
    const link = gateway.welcome({ expiresInMs: 60_000 });
    link.send(subscribed(1, 'order:o-1'), event(1, 1));

    client.close();

    expect(link.closedByClient).toBe(1000);
    expect(clock.pending).toBe(0);
  });

  test('what comes late from a connection that was dropped is nobody’s', () => {
    const { gateway, clock, client } = setUp();
    const seen: (number | undefined)[] = [];
    client.subscribe('order:o-1').on('event', ({ sequence }) => seen.push(sequence));
    client.connect();
    const old = gateway.welcome();
    old.send(subscribed(1, 'order:o-1'), event(1, 1));
    client.networkChanged(false);
    client.networkChanged(true);
    gateway.welcome();

    old.closedByClient = undefined;
    old.send(event(1, 2));
    old.close(1006);

    expect(seen).toEqual([1]);
    expect(client.state.kind).toBe('connected');
    expect(clock.pending).toBeGreaterThan(0);
  });
});

describe('links', () => {
  test('a ping is answered', () => {
    const { gateway, client } = setUp();
    client.connect();
    gateway.welcome().send({ kind: 'ping', heads: [] });

    expect(gateway.link.last('pong')).toEqual({ kind: 'pong' });
  });

  test('silence for two ping intervals means a dead link', () => {
    const { gateway, clock, client } = setUp();
    client.connect();
    const link = gateway.welcome({ pingIntervalMs: 10_000 });
    clock.advance(15_000);
    link.send({ kind: 'ping', heads: [] });
    clock.advance(19_999);
    expect(client.state.kind).toBe('connected');

    clock.advance(1);

    expect(client.state).toEqual({ kind: 'reconnecting', attempt: 1 });
    expect(link.closedByClient).toBe(1000);
  });

  test('after the sleep of a device the foreground reconnects at once', () => {
    const { gateway, clock, client } = setUp();
    client.connect();
    gateway.welcome();
    clock.jump(3_600_000);

    client.foreground();

    expect(gateway.links).toHaveLength(2);
  });

  test('a wall clock that is set back does not make a link look dead or alive for ever', () => {
    const { gateway, clock, client } = setUp();
    client.connect();
    gateway.welcome({ pingIntervalMs: 10_000 });
    clock.jump(-3_600_000);
    client.foreground();
    expect(client.state.kind).toBe('connected');

    clock.advance(3_600_000 + 20_000);

    expect(client.state.kind).toBe('reconnecting');
  });

  test('bytes that are no frames end the connection, not the client', () => {
    const { gateway, clock, client, errors } = setUp();
    client.connect();
    const link = gateway.welcome();
    link.sendBytes(new Uint8Array([0xc1, 0xff]));
    clock.advance(500);

    expect(link.closedByClient).toBe(1000);
    expect(errors).toEqual(['bad_frame']);
    expect(gateway.links).toHaveLength(2);
  });

  test('a connection that takes nothing is dropped before much is queued', () => {
    const { gateway, client, errors } = setUp();
    client.connect();
    const link = gateway.welcome();
    link.bufferedBytes = 2_000_000;

    client.subscribe('order:o-1');

    expect(client.state.kind).toBe('reconnecting');
    expect(errors).toEqual(['send_overflow']);
  });

  test('a connection that overflows while the requests are sent takes no further ones along', () => {
    const { gateway, client, clock } = setUp({ maxSubscriptions: 400 });
    for (let i = 0; i < 400; i++) client.subscribe(`order:o-${i}`);
    client.connect();
    gateway.link.open();
    gateway.link.bufferedBytes = 2_000_000;
    gateway.link.send(welcome());
    expect(client.state.kind).toBe('reconnecting');

    clock.advance(10_000);
    gateway.welcome();

    expect(gateway.links).toHaveLength(2);
    expect(gateway.link.received.filter(({ kind }) => kind === 'subscribe')).toHaveLength(400);
  });

  test('a drain is followed by a reconnect within its window that resumes', () => {
    const { gateway, clock, client } = setUp();
    const subscription = client.subscribe('order:o-1');
    client.connect();
    const link = gateway.welcome();
    link.send(subscribed(1, 'order:o-1'), event(1, 7), { kind: 'drain', withinMs: 4_000 });
    clock.advance(1_999);
    expect(gateway.links).toHaveLength(1);

    clock.advance(1);
    gateway.link.open();

    expect(gateway.link.last('subscribe').position).toBe(subscription.position);
    expect(client.state).toEqual({ kind: 'connecting' });
  });
});

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

describe('refused subscriptions', () => {
  test('a retryable refusal is tried again after the time the gateway asks for', () => {
    const { gateway, clock, client } = setUp();
    const codes: string[] = [];
    client.subscribe('order:o-1').on('error', ({ code, isRetryable }) => codes.push(`${code} ${isRetryable}`));
    client.connect();
    const link = gateway.welcome();
    link.send(refused(1, 'overloaded', 2_000));
    clock.advance(2_499);
    expect(link.received.filter(({ kind }) => kind === 'subscribe')).toHaveLength(1);

    clock.advance(1);

    expect(link.last('subscribe')).toMatchObject({ id: 2, channel: 'order:o-1' });
    expect(codes).toEqual(['overloaded true']);
  });

  test('a final refusal ends the subscription with its code', () => {
    const { gateway, client, errors } = setUp();
    const subscription = client.subscribe('order:o-1');
    const ended = vi.fn();
    subscription.on('ended', ended);
    client.connect();
    gateway.welcome().send(refused(1, 'forbidden'));

    expect(ended).toHaveBeenCalledWith({ channel: 'order:o-1', error: expect.objectContaining({ code: 'forbidden' }) });
    expect(ended.mock.calls[0]![0].error).toBeInstanceOf(ClientError);
    expect(subscription.status).toBe('ended');
    expect(errors).toEqual(['forbidden']);
    expect(client.subscription('order:o-1')).toBeUndefined();
  });

  test('a subscription that the gateway ends comes back if the code allows it', () => {
    const { gateway, clock, client } = setUp();
    const subscription = client.subscribe('order:o-1');
    client.connect();
    const link = gateway.welcome();
    link.send(subscribed(1, 'order:o-1', { position: 'k~e1.5.1' }));
    link.send({ kind: 'unsubscribed', channel: 'order:o-1', code: 'unavailable' });
    clock.advance(500);
    expect(link.last('subscribe')).toMatchObject({ id: 2, position: 'k~e1.5.1' });

    link.send(subscribed(2, 'order:o-1', { position: 'k~e1.5.1', recovered: true }));
    link.send({ kind: 'unsubscribed', channel: 'order:o-1', code: 'forbidden' });

    expect(subscription.status).toBe('ended');
  });

  test('one that is ended again and again before it is live comes back ever later', () => {
    const { gateway, clock, client } = setUp();
    client.subscribe('order:o-1').on('error', () => {});
    client.connect();
    const link = gateway.welcome();
    const pauses = Array.from({ length: 4 }, () => {
      link.send(subscribed(link.last('subscribe').id, 'order:o-1'));
      link.send({ kind: 'unsubscribed', channel: 'order:o-1', code: 'internal' });
      const { id } = link.last('subscribe');
      let pauseMs = 0;
      for (; link.last('subscribe').id === id; pauseMs += 500) clock.advance(500);
      return pauseMs;
    });

    expect(pauses).toEqual([500, 1_000, 2_000, 4_000]);
  });

  test('a connection that is lost ends the wait: the subscribe goes with the next hello', () => {
    const { gateway, clock, client } = setUp();
    client.subscribe('order:o-1');
    client.connect();
    gateway.welcome().send(refused(1, 'overloaded', 30_000));
    gateway.link.close(1006);
    clock.advance(500);
    gateway.link.open();

    expect(gateway.link.last('subscribe').channel).toBe('order:o-1');
  });
});

describe('limits', () => {
  test('one subscription per channel, and as many as the client allows', () => {
    const { client } = setUp({ maxSubscriptions: 2 });
    const first = client.subscribe('a');
    client.subscribe('b');

    expect(() => client.subscribe('a')).toThrow(expect.objectContaining({ code: 'already_subscribed' }));
    expect(() => client.subscribe('c')).toThrow(expect.objectContaining({ code: 'too_many_subscriptions' }));
    first.unsubscribe();
    expect(client.subscribe('a')).not.toBe(first);
  });
});

import { CLOSE_CODES } from '@sluice/schemas';
import { describe, expect, test, vi } from 'vitest';
import { setUp } from './client.fixture.ts';
import { event, subscribed, welcome } from './scripted.fixture.ts';

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

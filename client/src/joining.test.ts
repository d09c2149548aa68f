import { expect, test } from 'vitest';
import type { EncodedPosition, UpFrame } from '@sluice/schemas';
import { createClientOver } from './door.ts';
import type { ClientOptions } from './options.ts';
import { createMemoryPositions } from './positions.ts';
import { event, ManualClock, ScriptedGateway, subscribed, type ScriptedLink } from './scripted.fixture.ts';
import type { Subscription } from './subscription.ts';

const USER = 'user:u-1';
const POSITION = 'k~e1.5.a' as EncodedPosition;

const setUp = (options: Partial<ClientOptions> = {}) => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const client = createClientOver(() => gateway.transport)({
    url: 'ws://gateway.test',
    token: 'token-1',
    clock,
    random: () => 0.5,
    ...options,
  });
  const joined: Subscription[] = [];
  client.on('joined', (subscription) => joined.push(subscription));
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  return { gateway, clock, client, joined, errors };
};

/** What the client has sent, but hellos and pongs, in short. */
const requests = (link: ScriptedLink): string[] =>
  link.received
    .filter((frame): frame is Extract<UpFrame, { channel: string }> => 'channel' in frame)
    .map((frame) => [frame.kind, frame.channel, 'position' in frame ? frame.position : ''].join(' ').trim());

const reconnect = ({ gateway, clock }: ReturnType<typeof setUp>): ScriptedLink => {
  gateway.link.close(1006);
  clock.advance(60_000);
  return gateway.welcome();
};

test('a channel that the gateway joins has a subscription, told of before its first events', () => {
  const { gateway, client, joined } = setUp();
  const seen: (number | undefined)[] = [];
  client.on('joined', (subscription) => {
    subscription.on('event', ({ sequence }) => seen.push(sequence));
  });
  client.connect();
  const link = gateway.welcome();
  expect(link.last('hello').isJoining).toBe(true);
  link.send(subscribed(0, USER), event(1, 7), { kind: 'live', channel: USER, position: 'k~e1.7.a' });

  expect(joined.map(({ channel, status }) => [channel, status])).toEqual([[USER, 'live']]);
  expect(seen).toEqual([7]);
  expect(client.subscription(USER)).toBe(joined[0]);
  expect(client.subscription('user')).toBe(joined[0]);
  expect(requests(link)).toEqual([]);
});

test('a client that wants no joining says nothing of it', () => {
  const { gateway, client } = setUp({ join: false });
  client.connect();
  expect('isJoining' in gateway.welcome().last('hello')).toBe(false);
});

test('the application gets the joined subscription, by its name or the plain one, once', () => {
  const { gateway, client, joined } = setUp();
  client.connect();
  gateway.welcome().send(subscribed(0, USER), subscribed(0, 'shop:m-1', { streams: [[2, 'e2']] }));

  expect(client.subscribe('user')).toBe(joined[0]);
  expect(client.subscribe('shop:m-1', { first: 'all' })).toBe(joined[1]);
  for (const again of ['user', USER, 'shop']) expect(() => client.subscribe(again)).toThrow('subscribed');
  expect(requests(gateway.link)).toEqual([]);
});

test('of several channels under one plain name none is meant', () => {
  const { gateway, client } = setUp();
  client.connect();
  gateway.welcome().send(subscribed(0, 'shop:m-1'), subscribed(0, 'shop:m-2', { streams: [[2, 'e2']] }));

  expect(client.subscription('shop')).toBeUndefined();
  expect(client.subscription('shop:m-2')?.channel).toBe('shop:m-2');
});

test('after a cut a joined channel goes on from its position, first of all that is asked for', () => {
  const bench = setUp();
  const { gateway, client, joined } = bench;
  client.subscribe('order:o-1');
  client.connect();
  gateway.welcome().send(subscribed(0, USER, { streams: [[2, 'e2']] }), event(2, 9));
  const link = reconnect(bench);

  expect(requests(link)).toEqual([`subscribe ${USER} k~e2.9.s1`, 'subscribe order:o-1']);
  link.send(subscribed(link.received.find((frame) => frame.kind === 'subscribe')!.id, USER, { recovered: true }));
  expect(joined).toHaveLength(1);
});

test('one that had events before anybody listened begins anew for who asks for it then', () => {
  const { gateway, client, joined } = setUp();
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER), event(1, 7));
  const heard: unknown[] = [];
  client.subscribe('user', { first: { last: 5 } }).on('event', ({ sequence }) => heard.push(sequence));

  expect(requests(link)).toEqual([`unsubscribe ${USER}`, 'subscribe user']);
  expect(link.last('subscribe').first).toEqual({ last: 5 });
  link.send(
    event(1, 8),
    { kind: 'unsubscribed', channel: USER, id: link.last('unsubscribe').id },
    subscribed(link.last('subscribe').id, USER, { streams: [[2, 'e1']] }),
    event(2, 7),
    event(2, 8),
  );
  expect(heard).toEqual([7, 8]);
  expect(joined[0]?.status).toBe('ended');
});

test('nor is its position saved before anybody listens: what was missed is still owed in another life', () => {
  const positions = createMemoryPositions();
  positions.save(USER, POSITION);
  const { gateway, clock, client } = setUp({ positions });
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER));
  const served = (id: number) => subscribed(id, USER, { position: POSITION, recovered: true });
  link.send(served(link.last('subscribe').id), event(1, 6));
  clock.advance(1_000);
  expect(positions.load(USER)).toBe(POSITION);

  const heard: unknown[] = [];
  client.subscribe(USER).on('event', ({ sequence }) => heard.push(sequence));
  link.send(served(link.last('subscribe').id), event(1, 6));
  clock.advance(1_000);

  expect(heard).toEqual([6]);
  expect(positions.load(USER)).toBe('k~e1.6.ry');
});

test('a position of an earlier life is gone on from: what the gateway began with is given back', () => {
  const positions = createMemoryPositions();
  positions.save(USER, POSITION);
  const { gateway, client, joined, errors } = setUp({ positions });
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER), event(1, 9));

  expect(requests(link)).toEqual([`unsubscribe ${USER}`, `subscribe ${USER} ${POSITION}`]);
  expect(client.counts.strays).toBe(1);
  link.send(
    { kind: 'unsubscribed', channel: USER, id: link.last('unsubscribe').id },
    subscribed(link.last('subscribe').id, USER, { streams: [[5, 'e1']], position: POSITION, recovered: true }),
    event(5, 6),
  );
  expect(joined[0]?.status).toBe('catching_up');
  expect(client.counts.events).toBe(1);
  expect(errors).toEqual([]);
});

test('a request that crosses the joining is made once more, whatever name it goes by', () => {
  for (const name of [USER, 'user']) {
    const { gateway, client, joined, errors } = setUp();
    client.connect();
    const link = gateway.welcome();
    const mine = client.subscribe(name, { first: 'all' });
    link.send(subscribed(0, USER));
    const { id } = link.last('subscribe');
    link.send({ kind: 'error', code: 'already_subscribed', message: '', id, channel: name });

    expect(requests(link)).toEqual([`subscribe ${name}`, `unsubscribe ${USER}`, `subscribe ${name}`]);
    link.send(subscribed(link.last('subscribe').id, USER));
    expect(mine.status).toBe('catching_up');
    expect([joined.length, errors.length]).toEqual([0, 0]);
  }
});

test('a second name for a channel that the application has is refused, and the first one lives on', () => {
  const { gateway, client, errors } = setUp();
  client.connect();
  const link = gateway.welcome();
  const first = client.subscribe('feed');
  link.send(subscribed(link.last('subscribe').id, 'feed:u-1'));
  const second = client.subscribe('feed:u-1');
  link.send({ kind: 'error', code: 'already_subscribed', message: '', id: link.last('subscribe').id });

  expect([first.status, second.status]).toEqual(['catching_up', 'ended']);
  expect(errors).toEqual(['already_subscribed']);
  first.unsubscribe();
  expect(link.last('unsubscribe').channel).toBe('feed:u-1');
});

test('what the application has left is not joined again, until it asks for it', () => {
  const bench = setUp();
  const { gateway, client, joined } = bench;
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER));
  client.subscription(USER)?.unsubscribe();
  expect(requests(link)).toEqual([`unsubscribe ${USER}`]);

  const later = reconnect(bench);
  later.send(subscribed(0, USER));
  expect(requests(later)).toEqual([`unsubscribe ${USER}`]);
  expect(joined).toHaveLength(1);

  client.subscribe(USER);
  expect(requests(later).slice(1)).toEqual([`subscribe ${USER}`]);
});

test('a joined channel that is lost with a role is told like any other, and joined again with the role', () => {
  const { gateway, client, joined, errors } = setUp();
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, 'shop:m-1'));
  link.send({ kind: 'unsubscribed', channel: 'shop:m-1', code: 'forbidden' });
  expect(joined[0]?.status).toBe('ended');
  expect(errors).toEqual(['forbidden']);

  link.send(subscribed(0, 'shop:m-1'));
  expect(joined.map(({ status }) => status)).toEqual(['ended', 'catching_up']);
});

test('what could not be joined now is asked for later; what is not to be had is no news', () => {
  const { gateway, clock, client, joined, errors } = setUp();
  client.connect();
  const link = gateway.welcome();
  link.send(
    { kind: 'error', code: 'forbidden', message: '', id: 0, channel: 'lounge:main' },
    { kind: 'error', code: 'rate_limited', message: '', id: 0, channel: USER, retryAfterMs: 500 },
  );
  expect(joined.map(({ channel, status }) => [channel, status])).toEqual([[USER, 'waiting']]);
  clock.advance(20_000);

  expect(requests(link)).toEqual([`subscribe ${USER}`]);
  expect(errors).toEqual(['rate_limited']);
});

test('a listener that leaves the channel as soon as it is joined gets none of its events', () => {
  const { gateway, client } = setUp();
  client.on('joined', (subscription) => subscription.unsubscribe());
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER), event(1, 7));

  expect(requests(link)).toEqual([`unsubscribe ${USER}`]);
  expect(client.counts).toMatchObject({ events: 0, strays: 1 });
});

test('a listener that closes the client when a channel is joined finds it all right later', () => {
  const { gateway, client, joined } = setUp();
  client.on('joined', () => client.close());
  client.connect();
  gateway.welcome().send(subscribed(0, USER), event(1, 7));
  expect(joined[0]?.status).toBe('waiting');

  client.connect();
  expect(requests(gateway.welcome())).toEqual([`subscribe ${USER}`]);
});

test('one that could not be joined leaves nothing behind either when its listener closes the client', () => {
  const { gateway, clock, client } = setUp();
  client.on('joined', () => client.close());
  client.connect();
  gateway.welcome().send({ kind: 'error', code: 'rate_limited', message: '', id: 0, channel: USER });

  expect(clock.pending).toBe(0);
});

test('what was left under its plain name before it could be joined is not joined either', () => {
  const { gateway, client, joined } = setUp();
  client.subscribe('user').unsubscribe();
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(0, USER));

  expect(requests(link)).toEqual([`unsubscribe ${USER}`]);
  expect(joined).toEqual([]);
});

test('a position is found by whatever name the channel is subscribed to in the next life', () => {
  const positions = createMemoryPositions();
  const requested = setUp({ positions });
  requested.client.subscribe('user');
  requested.client.connect();
  requested.gateway.welcome().send(subscribed(1, USER), event(1, 5));
  requested.client.close();

  const joined = setUp({ positions });
  joined.client.connect();
  const link = joined.gateway.welcome();
  link.send(subscribed(0, USER));
  expect(requests(link)).toEqual([`unsubscribe ${USER}`, `subscribe ${USER} k~e1.5.rx`]);
  joined.client.subscribe('user').on('event', () => {});
  link.send(subscribed(link.last('subscribe').id, USER, { position: 'k~e1.5.rx', recovered: true }), event(1, 6));
  joined.client.close();

  const again = setUp({ positions });
  again.client.subscribe('user');
  again.client.connect();
  expect(requests(again.gateway.welcome())).toEqual(['subscribe user k~e1.6.ry']);
});

test('a second channel of a plain name that stands for the first one is joined for itself', () => {
  const { gateway, client, joined } = setUp();
  client.subscribe('shop');
  client.connect();
  const link = gateway.welcome();
  link.send(subscribed(1, 'shop:m-1'));
  link.send(subscribed(0, 'shop:m-2', { streams: [[2, 'e2']] }), event(2, 7));

  expect(joined.map(({ channel, status }) => [channel, status])).toEqual([['shop:m-2', 'catching_up']]);
  expect(client.counts.events).toBe(1);
});

import type { DownFrame, RezEvents } from '@sluice/schemas';
import { describe, expect, test, vi } from 'vitest';
import { createClientOver } from './door.ts';
import { createMemoryPositions } from './positions.ts';
import { event, ManualClock, ScriptedGateway, subscribed } from './scripted.fixture.ts';

const live = (position: string, channel = 'order:o-1'): DownFrame => ({ kind: 'live', channel, position });

const reset = (position: string, streams: [number, string][], reason = 'truncated'): DownFrame => ({
  kind: 'reset',
  channel: 'order:o-1',
  reason,
  streams,
  position,
});

/** A connected client with one subscription, whose events are written down. */
const setUp = (position?: string) => {
  const gateway = new ScriptedGateway();
  const clock = new ManualClock();
  const positions = createMemoryPositions();
  const client = createClientOver(() => gateway.transport)<RezEvents>({
    url: 'ws://gateway.test',
    token: 'token',
    clock,
    positions,
    random: () => 0.5,
  });
  const subscription = client.subscribe('order:o-1', position === undefined ? {} : { position });
  const seen: string[] = [];
  subscription.on('event', ({ epoch, sequence, isLive }) =>
    seen.push(`${epoch} ${sequence}${isLive ? '' : ' missed'}`),
  );
  subscription.on('reset', ({ reason }) => seen.push(`reset ${reason}`));
  client.connect();
  const link = gateway.welcome();
  const reconnect = () => {
    gateway.link.close(1006);
    clock.advance(500);
    return gateway.welcome();
  };
  return { gateway, clock, positions, client, subscription, seen, link, reconnect };
};

describe('events', () => {
  test('reach the listeners of their type and those of all, typed by the catalogue', () => {
    const { link, subscription } = setUp();
    const statuses: string[] = [];
    const types: string[] = [];
    subscription.on('order.status_changed', ({ data }) => statuses.push(data.status));
    subscription.on('event', (each) => types.push(each.type));
    link.send(
      subscribed(1, 'order:o-1'),
      { kind: 'event', ref: 1, sequence: 1, timeMs: 5, type: 'order.status_changed', data: { status: 'ready' } },
      { kind: 'event', ref: 1, sequence: 2, timeMs: 5, type: 'order.eta_updated', data: {} },
    );

    expect(statuses).toEqual(['ready']);
    expect(types).toEqual(['order.status_changed', 'order.eta_updated']);
  });

  test('say whether they were missed or are live', () => {
    const { link, seen } = setUp();
    link.send(subscribed(1, 'order:o-1'), event(1, 4), live('k~e1.4.1'), event(1, 5));

    expect(seen).toEqual(['e1 4 missed', 'e1 5']);
  });

  test('of two streams are counted apart', () => {
    const { link, seen, subscription } = setUp();
    const streams: [number, string][] = [
      [1, 'e1'],
      [2, 'e2'],
    ];
    link.send(subscribed(1, 'order:o-1', { streams }), event(1, 9), event(2, 3), event(1, 10), event(2, 3));

    expect(seen).toEqual(['e1 9 missed', 'e2 3 missed', 'e1 10 missed']);
    expect(subscription.position).toBe('k~e1.a.s2~e2.3.rv');
  });

  test('at or below the position are dropped and counted', () => {
    const { link, seen, client } = setUp();
    link.send(subscribed(1, 'order:o-1', { position: 'k~e1.5.1' }), event(1, 5), event(1, 6), event(1, 6));

    expect(seen).toEqual(['e1 6 missed']);
    expect(client.counts).toEqual({ events: 1, ephemeral: 0, duplicates: 2, strays: 0 });
  });

  test('I3: events of a stream that begins with a snapshot are all new, however old', () => {
    const { link, seen } = setUp();
    link.send(subscribed(1, 'order:o-1', { position: 'k' }), event(1, 0), event(1, 3), live('k~e1.9.1'), event(1, 9));

    expect(seen).toEqual(['e1 0 missed', 'e1 3 missed']);
  });
});

describe('positions', () => {
  test('move after the listeners have run, not before', () => {
    const { link, subscription } = setUp();
    const during: (string | undefined)[] = [];
    subscription.on('event', () => during.push(subscription.position));
    link.send(subscribed(1, 'order:o-1', { position: 'k~e1.5.1' }), event(1, 6));

    expect(during).toEqual(['k~e1.5.1']);
    expect(subscription.position).toBe('k~e1.6.ry');
  });

  test('go with the subscribe after a reconnect, on every connection anew', () => {
    const { link, reconnect, subscription } = setUp();
    link.send(subscribed(1, 'order:o-1'), event(1, 7));

    const second = reconnect();

    expect(second.last('subscribe')).toMatchObject({ channel: 'order:o-1', position: 'k~e1.7.rz' });
    expect(subscription.status).toBe('waiting');
  });

  test('are moved by a ping only once the gateway has subscribed the channel on this connection', () => {
    const { link, reconnect, subscription } = setUp();
    link.send(subscribed(1, 'order:o-1', { position: 'k~e1.5.1' }), { kind: 'ping', heads: [['e1', 8, 2]] });
    expect(subscription.position).toBe('k~e1.8.2');

    const second = reconnect();
    second.send({ kind: 'ping', heads: [['e1', 100, 3]] });

    expect(subscription.position).toBe('k~e1.8.2');
  });

  test('are kept by an unsubscribe, so that a later subscribe catches up', () => {
    const { link, client, subscription } = setUp();
    link.send(subscribed(1, 'order:o-1'), event(1, 7));
    subscription.unsubscribe();
    const { channel } = link.last('unsubscribe');
    client.subscribe('order:o-1');

    expect(channel).toBe('order:o-1');
    expect(link.last('subscribe').position).toBe('k~e1.7.rz');
  });

  test('survive the client in a store, which is written about once a second', () => {
    const { link, clock, positions } = setUp();
    const save = vi.spyOn(positions, 'save');
    link.send(subscribed(1, 'order:o-1'));
    for (let sequence = 1; sequence <= 100; sequence++) link.send(event(1, sequence));
    expect(save).not.toHaveBeenCalled();

    clock.advance(1_000);

    expect(save).toHaveBeenCalledTimes(1);
    expect(positions.load('order:o-1')).toBe('k~e1.2s.uk');
  });

  test('of a store that throws are kept in memory', () => {
    const { link, clock, client, positions, subscription } = setUp();
    const codes: string[] = [];
    client.on('error', ({ code }) => codes.push(code));
    vi.spyOn(positions, 'save').mockImplementation(() => {
      throw new Error('quota');
    });
    link.send(subscribed(1, 'order:o-1'), event(1, 1));
    clock.advance(1_000);

    expect(codes).toEqual(['position_store_failed']);
    expect(subscription.position).toBe('k~e1.1.rt');
  });

  test('can be given, must be readable, and can be left out', () => {
    const { link, client, positions } = setUp();
    positions.save('user:u-1', 'k~e1.5.1');
    expect(() => client.subscribe('user:u-2', { position: '???' })).toThrow(
      expect.objectContaining({ code: 'invalid_position' }),
    );

    client.subscribe('user:u-1', { position: null });
    expect(link.last('subscribe').position).toBeUndefined();
    client.subscribe('user:u-3', { position: 'k~e1.9.1' });
    expect(link.last('subscribe').position).toBe('k~e1.9.1');
  });

  test.each([
    ['has nothing, as localStorage says it', null, []],
    ['answers later', Promise.resolve('k~e1.5.1'), ['invalid_position']],
  ])('of a store that %s do not keep the channel from starting', (_, stored, expected) => {
    const { link, client, positions } = setUp();
    const codes: string[] = [];
    client.on('error', ({ code }) => codes.push(code));
    vi.spyOn(positions, 'load').mockReturnValue(stored as never);

    client.subscribe('user:u-1');

    expect(codes).toEqual(expected);
    expect(link.last('subscribe').position).toBeUndefined();
  });

  test('that a store garbled do not keep the channel from starting', () => {
    const { link, client, positions } = setUp();
    const codes: string[] = [];
    client.on('error', ({ code }) => codes.push(code));
    positions.save('user:u-1', 'k~~');

    client.subscribe('user:u-1');

    expect(codes).toEqual(['invalid_position']);
    expect(link.last('subscribe').position).toBeUndefined();
  });
});

describe('resets', () => {
  test('replace the position, also backwards, and map refs and epochs anew', () => {
    const { link, seen, subscription } = setUp('k~e1.100.1');
    link.send(
      subscribed(1, 'order:o-1', { position: 'k' }),
      reset('j~e2.2.1', [[7, 'e2']], 'new_stream'),
      event(1, 101),
      event(7, 2),
      event(7, 3),
      live('j~e2.5.2'),
    );

    expect(seen).toEqual(['reset new_stream', 'e2 3 missed']);
    expect(subscription.position).toBe('j~e2.5.2');
  });

  test('I2: one that a broken connection swallowed is asked for again', () => {
    const { link, reconnect, seen, subscription } = setUp('k~e1.5.1');
    link.send(subscribed(1, 'order:o-1', { position: 'k', recovered: false }));

    const second = reconnect();
    expect(second.last('subscribe').position).toBe('k~e1.5.1');

    const { id } = second.last('subscribe');
    second.send(subscribed(id, 'order:o-1', { position: 'k' }), reset('k~e1.2i.1', [[1, 'e1']]), event(1, 91));
    expect(seen).toEqual(['reset truncated', 'e1 91 missed']);
    expect(subscription.position).toBe('k~e1.2j.ub');
  });

  test('a broken snapshot after a reset goes on behind what had arrived', () => {
    const { link, reconnect } = setUp('k~e1.5.1');
    link.send(
      subscribed(1, 'order:o-1', { position: 'k' }),
      reset('k', [
        [1, 'e1'],
        [2, 'e2'],
      ]),
      event(1, 3),
    );

    expect(reconnect().last('subscribe').position).toBe('k~e1.3.rv');
  });

  test('a channel whose name was resolved is found by either name', () => {
    const { link, client } = setUp();
    const reasons: string[] = [];
    client.subscribe('feed').on('reset', ({ channel, reason }) => reasons.push(`${channel} ${reason}`));
    link.send(subscribed(2, 'feed:u-1', { streams: [[5, 'e5']] }), {
      kind: 'reset',
      channel: 'feed:u-1',
      reason: 'ahead',
      streams: [[5, 'e5']],
      position: 'k',
    });
    client.subscription('feed')!.unsubscribe();

    expect(reasons).toEqual(['feed ahead']);
    expect(link.last('unsubscribe').channel).toBe('feed:u-1');
  });
});

describe('listeners', () => {
  test('one that throws loses nothing, repeats nothing and disturbs nobody', () => {
    const { link, client, seen, subscription } = setUp();
    const reported: unknown[] = [];
    client.on('error', ({ code, channel, cause }) => reported.push([code, channel, (cause as Error).message]));
    subscription.on('order.status_changed', ({ sequence }) => {
      if (sequence === 2) throw new Error('mine');
    });
    link.send(subscribed(1, 'order:o-1'), event(1, 1), event(1, 2), event(1, 3));

    expect(seen).toEqual(['e1 1 missed', 'e1 2 missed', 'e1 3 missed']);
    expect(reported).toEqual([['listener_threw', 'order:o-1', 'mine']]);
    expect(subscription.position).toBe('k~e1.3.rv');
  });

  test('an async one that rejects is reported as well', async () => {
    const { link, client, subscription } = setUp();
    const reported = vi.fn();
    client.on('error', reported);
    subscription.on('event', async () => {
      throw new Error('later');
    });
    link.send(subscribed(1, 'order:o-1'), event(1, 1));
    await vi.waitFor(() => expect(reported).toHaveBeenCalledOnce());

    expect(reported.mock.calls[0]![0]).toMatchObject({ code: 'listener_threw', cause: new Error('later') });
  });

  test('one that unsubscribes has had its event and gets no other', () => {
    const { link, client, seen, subscription } = setUp();
    subscription.on('event', ({ sequence }) => {
      if (sequence === 2) subscription.unsubscribe();
    });
    link.send(subscribed(1, 'order:o-1'), event(1, 1), event(1, 2), event(1, 3));
    client.subscribe('order:o-1');

    expect(seen).toEqual(['e1 1 missed', 'e1 2 missed']);
    expect(link.last('subscribe').position).toBe('k~e1.2.ru');
  });

  test('one that closes the client gets no other event of the message', () => {
    const { link, client, seen, subscription } = setUp();
    subscription.on('event', () => client.close());
    link.send(subscribed(1, 'order:o-1'), event(1, 1), event(1, 2));

    expect(seen).toEqual(['e1 1 missed']);
    expect(subscription.position).toBe('k~e1.1.rt');
  });

  test('stop when told so, each once', () => {
    const { link, subscription } = setUp();
    const heard: (number | undefined)[] = [];
    const listener = ({ sequence }: { sequence?: number | undefined }) => heard.push(sequence);
    const stop = subscription.on('event', listener);
    subscription.on('event', listener);
    stop();
    stop();
    link.send(subscribed(1, 'order:o-1'), event(1, 1));

    expect(heard).toEqual([1]);
  });
});

describe('ephemeral events', () => {
  const typing = (isTyping: boolean): DownFrame => ({
    kind: 'ephemeral',
    channel: 'order:o-1',
    type: 'chat.typing',
    data: { isTyping },
  });

  test('reach listeners as what they are and move no position', () => {
    const { link, client, subscription } = setUp();
    const heard: unknown[] = [];
    subscription.on('chat.typing', (each) => heard.push(each));
    subscription.on('event', ({ type, isEphemeral, sequence }) => heard.push([type, isEphemeral, sequence]));
    link.send(subscribed(1, 'order:o-1'), event(1, 1), live('k~e1.1.1'));
    const { position } = subscription;
    heard.length = 0;
    link.send(typing(true));

    const data = { isTyping: true };
    expect(heard).toEqual([
      { channel: 'order:o-1', type: 'chat.typing', data, isEphemeral: true, isLive: true },
      ['chat.typing', true, undefined],
    ]);
    expect(subscription.position).toBe(position);
    expect(client.counts).toEqual({ events: 1, ephemeral: 1, duplicates: 0, strays: 0 });
  });

  test('of a channel that nobody is subscribed to any more are nobody’s', () => {
    const { link, client } = setUp();
    link.send(subscribed(1, 'order:o-1'));
    client.subscription('order:o-1')!.unsubscribe();
    link.send(typing(true));

    expect(client.counts).toEqual({ events: 0, ephemeral: 0, duplicates: 0, strays: 1 });
  });
});

describe('crossing frames', () => {
  test('what was under way when the channel was unsubscribed is nobody’s', () => {
    const { link, client, seen } = setUp();
    link.send(subscribed(1, 'order:o-1'), event(1, 1));
    client.subscription('order:o-1')!.unsubscribe();
    const again = client.subscribe('order:o-1');
    const heard: (number | undefined)[] = [];
    again.on('event', ({ sequence }) => heard.push(sequence));

    // The gateway has read neither yet.
    link.send(event(1, 2), live('k~e1.2.1'), reset('k~e1.0.0', [[1, 'e1']]), {
      kind: 'unsubscribed',
      channel: 'order:o-1',
      id: link.last('unsubscribe').id,
    });
    link.send(
      subscribed(link.last('subscribe').id, 'order:o-1', { position: 'k~e1.1.rt', recovered: true }),
      event(1, 2),
    );

    expect(seen).toEqual(['e1 1 missed']);
    expect(heard).toEqual([2]);
    expect(again.status).toBe('catching_up');
    expect(client.counts.strays).toBe(1);
  });

  test('what travelled with the hello is taken back before the welcome, so that it can be asked for again', () => {
    const gateway = new ScriptedGateway();
    const client = createClientOver(() => gateway.transport)({ url: 'ws://gateway.test', token: 'token' });
    const first = client.subscribe('order:o-1');
    client.connect();
    gateway.link.open();
    first.unsubscribe();
    client.subscribe('order:o-1');
    gateway.welcome();

    const kinds = gateway.link.received.map(({ kind }) => kind);
    expect(kinds).toEqual(['hello', 'subscribe', 'unsubscribe', 'subscribe']);
    client.close();
  });

  test.each([undefined, '', 'chat:' + '👋'.slice(0, 1), `order:${'o'.repeat(600)}`])(
    'a name that no gateway could read (%j) is refused before it costs the connection',
    (name) => {
      const { client } = setUp();

      expect(() => client.subscribe(name as string)).toThrow(expect.objectContaining({ code: 'invalid_channel' }));
      expect(client.subscription(name as string)).toBeUndefined();
    },
  );

  test('a position that cannot be read breaks the connection, not the subscription', () => {
    const { link, gateway, clock, client } = setUp('k~e1.5.1');
    const codes: string[] = [];
    client.on('error', ({ code }) => codes.push(code));
    link.send(subscribed(1, 'order:o-1', { position: 'k~e1.-1.0' }));
    clock.advance(500);
    gateway.welcome();

    expect(codes).toEqual(['bad_frame']);
    expect(gateway.link.last('subscribe').position).toBe('k~e1.5.1');
  });
});

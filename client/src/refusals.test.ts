import { describe, expect, test, vi } from 'vitest';
import { refused, setUp } from './client.fixture.ts';
import { ClientError } from './errors.ts';
import { subscribed } from './scripted.fixture.ts';

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

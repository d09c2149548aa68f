// Fresh tokens on an open connection, and what ends one in time.
import type { DownFrame } from '@sluice/schemas';
import { describe, expect, test } from 'vitest';
import { LIMITS, tokenOf } from './pod.fixture.ts';
import { auth, closedAs, CUSTOMER, kinds, MERCHANT, NOW_MS, openBench, subscribe } from './session.fixture.ts';

describe('tokens', () => {
  test('a fresh one of the same subject is ok, of another it is refused and nothing changes', async () => {
    const bench = await openBench();
    await bench.say(subscribe(1, 'order:o-1'));

    expect(kinds(await bench.say(auth(2, tokenOf(CUSTOMER))))).toEqual(['ok']);
    expect(kinds(await bench.say(auth(3, tokenOf({ ...CUSTOMER, subject: 'u-2' }))))).toEqual([
      'error subject_mismatch',
    ]);
    expect(kinds(await bench.say(auth(4, 'token_expired')))).toEqual(['error token_expired']);
    expect(closedAs(bench)).toBeUndefined();
    expect(bench.pod.channels.size).toBe(1);
  });

  test('of two the one that was sent last counts, whichever is verified first', async () => {
    const bench = await openBench();
    await bench.say(subscribe(1, 'order:o-1'));
    const frames = await bench.say(
      auth(2, `slow:${tokenOf(CUSTOMER)}`),
      auth(3, tokenOf(MERCHANT)),
      subscribe(4, 'merchant:m-1'),
    );
    bench.pod.verifying[0]!();
    const late = await bench.say(subscribe(5, 'merchant:m-1'));

    expect(kinds(frames)).toEqual(expect.arrayContaining(['ok', 'reset']));
    expect(kinds(late)).not.toContain('error forbidden');
    expect([...bench.pod.sessions][0]!.principal).toEqual(MERCHANT);
  });

  test('one that was called ok has had its effect, also if a later one is no good', async () => {
    const bench = await openBench();
    await bench.say(subscribe(1, 'order:o-1'));
    const frames = await bench.say(auth(2, `slow:${tokenOf(MERCHANT)}`), auth(3, 'token_invalid'));
    bench.pod.verifying[0]!();
    const late = await bench.say();

    expect(kinds(frames)).toEqual(['error token_invalid']);
    expect(kinds(late)).toEqual(['ok', 'reset', 'live']);
  });

  test('of another subject is not called ok because a later one came first', async () => {
    const bench = await openBench();
    await bench.say(auth(2, `slow:${tokenOf({ ...CUSTOMER, subject: 'u-2' })}`), auth(3, tokenOf(CUSTOMER)));
    bench.pod.verifying[0]!();

    expect(kinds(await bench.say())).toEqual(['error subject_mismatch']);
  });

  test('that grants other filters resets, that grants nothing ends, that grants the same leaves alone (I4)', async () => {
    const bench = await openBench({}, MERCHANT);
    await bench.say(subscribe(1, 'order:o-1'), subscribe(2, 'merchant:m-1'), subscribe(3, 'user:u-1'));

    const frames = await bench.say(auth(4, tokenOf(CUSTOMER)));

    expect(frames[0]).toEqual({ kind: 'ok', id: 4 });
    expect(frames).toMatchObject([
      { kind: 'ok' },
      { kind: 'reset', channel: 'order:o-1', reason: 'filters_changed' },
      { kind: 'unsubscribed', channel: 'merchant:m-1', code: 'forbidden' },
      { kind: 'live', channel: 'order:o-1' },
    ]);
  });

  test('that ends a subscribe which is still unanswered is the answer to it', async () => {
    const bench = await openBench({}, MERCHANT);
    await bench.say(subscribe(9, 'merchant:m-1', { first: 'states' }));

    const frames = await bench.say(auth(4, tokenOf(CUSTOMER)));

    expect(frames).toMatchObject([
      { kind: 'ok' },
      { kind: 'error', code: 'forbidden', id: 9, channel: 'merchant:m-1' },
    ]);
    for (const asked of bench.cold.asked) asked.answer();
    expect(await bench.say()).toEqual([]);
  });

  test('its end is told ahead, once, and comes on time', async () => {
    const bench = await openBench({}, { ...CUSTOMER, expiresAtMs: NOW_MS + 600_000 });
    const before: DownFrame[] = [];
    for (let i = 0; i < 22; i++) {
      before.push(...bench.pass(25_000));
      bench.connection.write({ kind: 'pong' });
    }
    expect(before.filter(({ kind }) => kind === 'token_expiring')).toEqual([{ kind: 'token_expiring', inMs: 60_000 }]);
    expect(closedAs(bench)).toBeUndefined();

    bench.pass(51_000);

    expect(closedAs(bench)).toBe('token_expired');
  });
});

describe('liveness', () => {
  test('a client is pinged at least every interval and stays as long as it says anything', async () => {
    const bench = await openBench();
    const pings: number[] = [];
    for (let ms = 0; ms < 200_000; ms += 1_000) {
      if (bench.pass(1_000).some(({ kind }) => kind === 'ping')) {
        pings.push(ms);
        bench.connection.write({ kind: 'pong' });
      }
    }

    const gaps = pings.slice(1).map((ms, i) => ms - pings[i]!);
    expect(Math.max(...gaps, pings[0]!)).toBeLessThanOrEqual(LIMITS.pingIntervalMs + 1_000);
    expect(closedAs(bench)).toBeUndefined();
  });

  test('one that never says anything is let go, and with it all it had', async () => {
    const bench = await openBench();
    await bench.say(subscribe(1, 'order:o-1'));
    bench.pass(2 * LIMITS.pingIntervalMs);
    expect(closedAs(bench)).toBeUndefined();

    bench.pass(2 * LIMITS.pingIntervalMs);

    expect(closedAs(bench)).toBe('pong_timeout');
    expect([bench.pod.sessions.size, bench.pod.channels.size]).toEqual([0, 0]);
  });

  test('a drain is told to everybody', async () => {
    const bench = await openBench();
    bench.pod.sessions.drain(5_000);

    expect(bench.connection.read()).toEqual([{ kind: 'drain', withinMs: 5_000 }]);
    expect(closedAs(bench)).toBeUndefined();
  });
});

// Conflated types over real servers (I1, I2): fewer events, in order, and the last one always.
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { sequencesOf, test } from '../kit/market.ts';

const RIDE = 'ride:r-1';
const KEYS = { rideId: 'r-1' };

describe('a conflated type', () => {
  test('comes as the newest of each subject, in order, and the last one comes', async ({ openFrames, publisher }) => {
    const [json, packed] = [await openFrames(), await openFrames({ encoding: 'msgpack' })];
    await Promise.all([json.subscribeUntilLive('town'), packed.subscribeUntilLive('town')]);
    const stored = await Promise.all(
      Array.from({ length: 600 }, (_, at) => publisher.publish('ride.moved', { rideId: `r-${at % 3}` }, { at })),
    );
    const last = stored.slice(-3).map(({ sequence }) => sequence);
    for (const client of [json, packed]) {
      await eventually(() => last.every((sequence) => sequencesOf(client, 'town').includes(sequence)));
      const seen = sequencesOf(client, 'town');
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.length).toBeLessThan(600);
      expect(client.recorder.resets('town')).toEqual([]);
    }
  });

  test('is taken along by another event, before it', async ({ openFrames, publisher }) => {
    const client = await openFrames();
    await client.subscribeUntilLive(RIDE);
    for (let at = 0; at < 20; at++) await publisher.publish('ride.moved', KEYS, { at });
    const moved = await publisher.publish('ride.moved', KEYS, { at: 20 });
    const status = await publisher.publish('ride.status', KEYS, { status: 'arrived' });
    await eventually(() => sequencesOf(client, RIDE).includes(status.sequence));

    expect(sequencesOf(client, RIDE).slice(-2)).toEqual([moved.sequence, status.sequence]);
  });

  test('is not lost to one who is cut while it is held', async ({ openFrames, publisher, gateway }) => {
    const client = await openFrames();
    await client.subscribeUntilLive(RIDE);
    const first = await publisher.publish('ride.moved', KEYS, { at: 0 });
    await eventually(() => sequencesOf(client, RIDE).includes(first.sequence));
    const stored = [];
    for (let at = 1; at <= 5; at++) stored.push(await publisher.publish('ride.moved', KEYS, { at }));
    const position = client.positionOf(RIDE)!;
    client.raw.destroy();
    const back = await openFrames();
    await back.subscribeUntilLive(RIDE, { position });

    expect(sequencesOf(back, RIDE).at(-1)).toBe(stored.at(-1)!.sequence);
    expect(back.recorder.resets(RIDE)).toEqual([]);
    expect((await gateway.metrics()).sum('sluice_recovered_total')).toBe(1);
  });

  test('comes once from a long absence, between what is not conflated', async ({ openFrames, publisher, gateway }) => {
    const client = await openFrames();
    await client.subscribeUntilLive(RIDE);
    const before = await publisher.publish('ride.status', KEYS, { status: 'leaving' });
    await eventually(() => sequencesOf(client, RIDE).includes(before.sequence));
    const position = client.positionOf(RIDE)!;
    client.raw.destroy();
    const moves = await Promise.all(
      Array.from({ length: 2_000 }, (_, at) => publisher.publish('ride.moved', KEYS, { at })),
    );
    const status = await publisher.publish('ride.status', KEYS, { status: 'arrived' });
    // The pod has read as far.
    await eventually(async () => {
      const metrics = await gateway.metrics();
      return metrics.sum('sluice_tail_head_sequence', { stream: 'RIDE' }) >= status.sequence;
    });
    const back = await openFrames();
    await back.subscribeUntilLive(RIDE, { position });

    const newest = Math.max(...moves.map(({ sequence }) => sequence));
    expect(sequencesOf(back, RIDE)).toEqual([newest, status.sequence]);
    expect((await gateway.metrics()).sum('sluice_events_conflated_total')).toBeGreaterThan(1_900);
  });
});

// What a replica answers is made up here: one that lags can hardly be had from real servers on demand.
import { describe, expect, test } from 'vitest';
import type { StoredEvent } from './cold-contract.ts';
import type { DirectAnswer, DirectGet, LastQuery, RangeQuery } from './direct-get.ts';
import type { NatsLink } from './nats.ts';
import { RangeReader } from './range.ts';
import type { RangeRequest } from './range.ts';

const FILTER = 'order.*.o-1.*';
const event = (sequence: number, subject = 'order.u.o-1.a'): StoredEvent => ({
  sequence,
  timeMs: sequence * 10,
  subject,
  payload: Buffer.from('x'),
  isMarker: false,
});

interface World {
  /** What the replica that answers direct gets holds of the filter. */
  readonly replica: readonly StoredEvent[];
  /** What the leader holds of it. */
  readonly leader: readonly StoredEvent[];
  /** Last sequence of the replica, of any subject. */
  readonly replicaEnd?: number;
  readonly subjectsFilterCount?: number;
}

/** A reader in that world, and what it asked. */
function readerOf(world: World): { reader: RangeReader; asked: string[] } {
  const asked: string[] = [];
  const matching = (subject: string): StoredEvent[] =>
    world.replica.filter((one) => subject.includes('*') || one.subject === subject);
  const batch = (_: string, query: RangeQuery | LastQuery): Promise<DirectAnswer> => {
    if ('multi_last' in query) {
      asked.push('multi_last');
      const newest = new Map(world.replica.map((one) => [one.subject, one]));
      const events = [...newest.values()].filter((one) => one.sequence >= (query.seq ?? 1));
      events.sort((a, b) => a.sequence - b.sequence);
      if (newest.size === 0) return Promise.resolve({ kind: 'none' });
      return Promise.resolve({ kind: 'batch', events, pending: 0, upTo: world.replicaEnd ?? 0 });
    }
    asked.push(query.next_by_subj);
    const all = matching(query.next_by_subj).filter((one) => one.sequence >= query.seq);
    const events = all.slice(0, query.batch);
    if (events.length === 0) return Promise.resolve({ kind: 'none' });
    return Promise.resolve({ kind: 'batch', events, pending: all.length - events.length, upTo: 0 });
  };
  const request = (subject: string, payload: string): Promise<{ data: Uint8Array }> => {
    const answer = (body: object): Promise<{ data: Uint8Array }> =>
      Promise.resolve({ data: Buffer.from(JSON.stringify(body)) });
    if (subject.includes('STREAM.INFO')) {
      asked.push('info');
      return answer({ created: 'c', state: { subjects: { a: world.subjectsFilterCount ?? world.replica.length } } });
    }
    const query = JSON.parse(payload) as { seq?: number; last_by_subj?: string };
    asked.push(query.last_by_subj === undefined ? 'leader next' : 'leader last');
    const found =
      query.last_by_subj === undefined
        ? world.leader.find((one) => one.sequence >= (query.seq ?? 0))
        : world.leader.at(-1);
    if (found === undefined) return answer({ error: { code: 404, err_code: 10_037, description: 'no message found' } });
    return answer({ message: { seq: found.sequence, subject: found.subject, time: '2026-11-21T00:00:00Z' } });
  };
  const direct = { knowsBatches: true, batch } as unknown as DirectGet;
  return { reader: new RangeReader(direct, { request } as unknown as NatsLink), asked };
}

const read = (world: World, change: Partial<RangeRequest> = {}): Promise<unknown> =>
  readerOf(world).reader.read(requestOf(change));
const requestOf = (change: Partial<RangeRequest>): RangeRequest => ({
  stream: 'ORDER',
  filter: FILTER,
  after: 10,
  limits: { maxEvents: 100, maxBytes: 1_000 },
  tailFirst: 100,
  tailMatch: undefined,
  avoidsWalks: false,
  ...change,
});

describe('a range up to the tail', () => {
  const before = [event(20), event(50), event(90)];

  test('is complete if it ends with an event that the tail holds', async () => {
    const world = { replica: [...before, event(120)], leader: [] };

    const page = await read(world, { tailMatch: { sequence: 120, timeMs: 1_200 } });

    expect(page).toEqual({ events: world.replica, through: 120 });
  });

  test('is not if that event has another store time', async () => {
    const world = { replica: [...before, event(120)], leader: [] };

    expect(await read(world, { tailMatch: { sequence: 120, timeMs: 7 } })).toBe('stale');
  });

  test('is complete if the leader has nothing newer', async () => {
    expect(await read({ replica: before, leader: before })).toEqual({ events: before, through: 99 });
    expect(await read({ replica: [], leader: [] })).toEqual({ events: [], through: 99 });
    expect(await read({ replica: [], leader: [event(5)] })).toEqual({ events: [], through: 99 });
  });

  test('is not if the leader has one that was not returned', async () => {
    expect(await read({ replica: before.slice(0, 2), leader: before })).toBe('stale');
    expect(await read({ replica: [], leader: before })).toBe('stale');
  });

  test('goes by the next one at the leader if the newest lies in the tail', async () => {
    const leader = [...before, event(120), event(130)];

    expect(await read({ replica: before, leader })).toEqual({ events: before, through: 99 });
    expect(await read({ replica: before.slice(0, 2), leader })).toBe('stale');
  });

  test('goes as far as its last event if there is more to read', async () => {
    const page = await read({ replica: before, leader: before }, { limits: { maxEvents: 2, maxBytes: 1_000 } });

    expect(page).toEqual({ events: before.slice(0, 2), through: 50 });
  });

  test('of everything never goes by the last message, which the server does not find if it is deleted', async () => {
    const { reader, asked } = readerOf({ replica: before, leader: before });

    expect(await reader.read(requestOf({ filter: '>' }))).toBe('stale');
    expect(asked).toEqual(['>', 'leader next']);
  });
});

describe('a long range', () => {
  const far = { tailFirst: 50_000 };
  const twoSubjects = [event(20, 'order.u.o-1.a'), event(300, 'order.u.o-1.b'), event(400, 'order.u.o-1.a')];

  test('is read by subject where there is little, and proven by how far the replica is', async () => {
    const { reader, asked } = readerOf({ replica: twoSubjects, leader: [], replicaEnd: 60_000 });

    expect(await reader.read(requestOf(far))).toEqual({ kind: 'page', events: twoSubjects, through: 60_000 });
    expect(asked).toEqual(['multi_last', 'info', 'order.u.o-1.b', 'order.u.o-1.a']);
  });

  test('goes by the leader if that replica does not reach the tail', async () => {
    const world = { replica: twoSubjects, leader: twoSubjects, replicaEnd: 40_000 };

    expect(await read(world, far)).toEqual({ events: twoSubjects, through: 49_999 });
    expect(await read({ ...world, leader: [...twoSubjects, event(45_000)] }, far)).toBe('stale');
  });

  test('with nothing new asks for nothing more', async () => {
    const { reader, asked } = readerOf({ replica: [event(5)], leader: [], replicaEnd: 60_000 });

    expect(await reader.read(requestOf(far))).toEqual({ kind: 'page', events: [], through: 60_000 });
    expect(asked).toEqual(['multi_last']);
  });

  test('is walked where there is much, or left to a better way', async () => {
    const world = { replica: twoSubjects, leader: twoSubjects, replicaEnd: 60_000, subjectsFilterCount: 101 };

    expect(await read(world, { ...far, avoidsWalks: true })).toBe('dense');
    expect(await read(world, far)).toEqual({ events: twoSubjects, through: 49_999 });
  });
});

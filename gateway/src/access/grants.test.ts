import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { untilMsOf } from './grant-table.ts';
import { grantValue, ModelGrantStream, RecordingHolder } from './grants.fixture.ts';
import { GrantBook, type GrantHold } from './grants.ts';

const GRANT = 'chat.c-1.u-1';
let clock: ManualClock;
let stream: ModelGrantStream;
let book: GrantBook;
let faults: unknown[];

beforeEach(() => {
  clock = new ManualClock();
  stream = new ModelGrantStream();
  faults = [];
  book = new GrantBook({ source: stream, clock, onFault: (error) => faults.push(error) });
});

afterEach(() => {
  book.close();
  expect(faults).toEqual([]);
});

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const tell = (): void => {
  for (const { grant, sequence, value } of stream.untold.splice(0)) book.changed(grant, sequence, value);
};

const answerAll = async (): Promise<void> => {
  for (let round = 0; round < 4; round++) {
    await settle();
    while (stream.reads.length > 0) stream.answer();
    await settle();
  }
};

const hold = async (grant = GRANT): Promise<{ holder: RecordingHolder; held: GrantHold | undefined }> => {
  const holder = new RecordingHolder();
  const held = book.hold(grant, holder);
  await answerAll();
  return { holder, held };
};

test('the leader says who is a member, and who is not', async () => {
  stream.put(GRANT);
  stream.put('chat.c-2.u-1');
  stream.end('chat.c-2.u-1');

  expect((await hold()).holder.told).toEqual(['granted']);
  expect((await hold('chat.c-2.u-1')).holder.told).toEqual(['forbidden']);
  expect((await hold('chat.c-3.u-1')).holder.told).toEqual(['forbidden']);
});

test('a change that the tail tells while the leader is asked wins over an older answer', async () => {
  stream.put(GRANT);
  const holder = new RecordingHolder();
  book.hold(GRANT, holder);
  await settle();
  const old = stream.newest(GRANT);
  stream.end(GRANT);
  tell();
  stream.reads.shift()!.resolve(old);
  await settle();

  expect(holder.told).toEqual(['forbidden']);
});

test('what the tail has passed a moment ago wins over a leader that does not know it yet', async () => {
  const old = stream.put(GRANT);
  stream.end(GRANT);
  tell();
  const holder = new RecordingHolder();
  book.hold(GRANT, holder);
  await settle();
  stream.reads.shift()!.resolve(old);
  await settle();

  expect(holder.told).toEqual(['forbidden']);
});

test('the end of a grant ends all that rests on it, once, and nothing else', async () => {
  stream.put(GRANT);
  stream.put('chat.c-2.u-1');
  const [first, second, other] = [await hold(), await hold(), await hold('chat.c-2.u-1')];
  stream.end(GRANT);
  tell();
  stream.end(GRANT);
  tell();

  expect(first.holder.told).toEqual(['granted', 'revoked']);
  expect(second.holder.told).toEqual(['granted', 'revoked']);
  expect(other.holder.told).toEqual(['granted']);
  expect(book.size).toBe(1);
});

test('an expiry ends a grant without any message, and a later one is kept instead', async () => {
  stream.put(GRANT, clock.now() + 60_000);
  stream.put('chat.c-2.u-1', clock.now() + 60_000);
  const { holder } = await hold();
  const { holder: longer } = await hold('chat.c-2.u-1');
  stream.put('chat.c-2.u-1', clock.now() + 120_000);
  tell();

  clock.advance(59_999);
  expect(holder.told).toEqual(['granted']);
  clock.advance(1);
  expect(holder.told).toEqual(['granted', 'revoked']);
  expect(longer.told).toEqual(['granted']);
  clock.advance(60_000);
  expect(longer.told).toEqual(['granted', 'revoked']);
});

test('a clock that is set ahead ends what it takes past its expiry', async () => {
  stream.put(GRANT, clock.now() + 3_600_000);
  const { holder } = await hold();
  clock.setBack(-3_600_000);
  clock.advance(10_000);

  expect(holder.told).toEqual(['granted', 'revoked']);
});

test('an expiry further off than any timer can wait is waited for', async () => {
  const days = 60 * 86_400_000;
  stream.put(GRANT, clock.now() + days);
  const { holder } = await hold();
  clock.advance(days - 1);
  expect(holder.told).toEqual(['granted']);
  clock.advance(1);
  expect(holder.last).toBe('revoked');
});

test('while nobody follows the stream nobody new is let in', async () => {
  stream.put(GRANT);
  stream.isFollowing = false;

  expect((await hold()).held).toBeUndefined();
});

test('without a leader nobody can tell, and neither can a tail that has stopped meanwhile', async () => {
  stream.put(GRANT);
  stream.isLeaderThere = false;
  expect((await hold()).holder.told).toEqual(['grants_unavailable']);

  stream.isLeaderThere = true;
  const holder = new RecordingHolder();
  book.hold(GRANT, holder);
  await settle();
  stream.isFollowing = false;
  await answerAll();
  expect(holder.told).toEqual(['grants_unavailable']);
});

test('members stay while the tail is away for the time of an election; after it they are suspended and asked about', async () => {
  stream.put(GRANT);
  const { holder } = await hold();
  stream.isFollowing = false;
  clock.advance(9_500);
  expect(holder.told).toEqual(['granted']);
  clock.advance(1_000);
  expect(holder.told).toEqual(['granted', 'suspended']);

  stream.isFollowing = true;
  clock.advance(500);
  await answerAll();
  expect(holder.told).toEqual(['granted', 'suspended', 'granted']);
});

test('a clock that is set back gives nobody more time', async () => {
  stream.put(GRANT);
  const { holder } = await hold();
  stream.isFollowing = false;
  clock.advance(5_000);
  clock.setBack(3_600_000);
  clock.advance(10_500);
  expect(holder.told).toEqual(['granted', 'suspended']);

  clock.setBack(3_600_000);
  clock.advance(10_500);
  expect(holder.told).toEqual(['granted', 'suspended', 'grants_unavailable']);
});

test('who was revoked while the tail was away learns it, and who cannot be confirmed is told to come back', async () => {
  stream.put(GRANT);
  stream.put('chat.c-2.u-1');
  const { holder } = await hold();
  const { holder: other } = await hold('chat.c-2.u-1');
  stream.isFollowing = false;
  clock.advance(10_500);
  stream.remove(GRANT);
  stream.isFollowing = true;
  clock.advance(500);
  await settle();
  stream.answer(stream.reads.find(({ grant }) => grant === GRANT));
  await settle();
  expect(holder.told).toEqual(['granted', 'suspended', 'revoked']);

  clock.advance(10_000);
  expect(other.told).toEqual(['granted', 'suspended', 'grants_unavailable']);
});

test('a purge of the stream, which no message tells of, ends what it has taken', async () => {
  stream.put(GRANT);
  stream.put('chat.c-2.u-1');
  const purged = await hold();
  const kept = await hold('chat.c-2.u-1');
  stream.remove(GRANT);
  clock.advance(500);
  await answerAll();

  expect(purged.holder.told).toEqual(['granted', 'suspended', 'revoked']);
  expect(kept.holder.told).toEqual(['granted']);
});

test('what is given and purged while the leader is asked lets nobody in', async () => {
  const holder = new RecordingHolder();
  book.hold(GRANT, holder);
  await settle();
  stream.put(GRANT);
  tell();
  stream.purge(0);
  clock.advance(500);
  stream.answer();
  await settle();
  expect(holder.told).toEqual([]);

  clock.advance(100);
  await answerAll();
  expect(holder.told).toEqual(['forbidden']);
});

test('another stream in place of the old one: everybody is suspended until its leader confirms them', async () => {
  stream.put(GRANT);
  stream.put('chat.c-2.u-1');
  const kept = await hold();
  const lost = await hold('chat.c-2.u-1');
  stream.replace(1);
  book.began();
  expect(kept.holder.told).toEqual(['granted', 'suspended']);
  clock.advance(500);
  await answerAll();

  expect(kept.holder.told).toEqual(['granted', 'suspended', 'granted']);
  expect(lost.holder.told).toEqual(['granted', 'suspended', 'revoked']);
});

test('an answer about the stream before is asked for again', async () => {
  const old = stream.put(GRANT);
  const holder = new RecordingHolder();
  book.hold(GRANT, holder);
  await settle();
  stream.replace(0);
  book.began();
  stream.reads.shift()!.resolve(old);
  await settle();
  expect(holder.told).toEqual([]);
  clock.advance(100);
  await answerAll();

  expect(holder.told).toEqual(['forbidden']);
});

test('a hold that is released is told nothing more, and nothing is kept for it', async () => {
  stream.put(GRANT, clock.now() + 60_000);
  const { holder, held } = await hold();
  const waiting = new RecordingHolder();
  const early = book.hold(GRANT, waiting);
  early?.release();
  held?.release();
  expect(book.size).toBe(0);
  stream.end(GRANT);
  tell();
  clock.advance(60_000);
  await answerAll();

  expect(holder.told).toEqual(['granted']);
  expect(waiting.told).toEqual([]);
});

test('a holder that throws takes no other with it', async () => {
  stream.put(GRANT);
  const holder = new RecordingHolder();
  const bad = new RecordingHolder();
  bad.denied = () => {
    throw new Error('a bug');
  };
  book.hold(GRANT, bad);
  book.hold(GRANT, holder);
  await answerAll();
  stream.end(GRANT);
  tell();

  expect(holder.last).toBe('revoked');
  expect(faults.splice(0)).toHaveLength(1);
});

test('more than a few reads at once wait for each other', async () => {
  const holders = Array.from({ length: 100 }, (_, at) => {
    stream.put(`chat.c-${at}.u-1`);
    const holder = new RecordingHolder();
    book.hold(`chat.c-${at}.u-1`, holder);
    return holder;
  });
  await settle();
  expect(stream.reads.length).toBe(32);
  await answerAll();

  expect(holders.every(({ told }) => told.join() === 'granted')).toBe(true);
});

test.each([
  ['{}', Number.POSITIVE_INFINITY],
  ['{"expiresAt":"2026-01-01T00:00:00Z"}', Date.UTC(2026, 0, 1)],
  ['{"other":1}', Number.POSITIVE_INFINITY],
  ['', 0],
  ['no json', 0],
  ['null', 0],
  ['[]', 0],
  ['"x"', 0],
  ['true', 0],
  ['{"expiresAt":null}', 0],
  ['{"expiresAt":1790000000000}', 0],
  ['{"expiresAt":"soon"}', 0],
])('the value %s grants until %s', (text, untilMs) => {
  expect(untilMsOf(Buffer.from(text))).toBe(untilMs);
});

test('a value with an expiry is what the fixture writes', () => {
  expect(untilMsOf(grantValue(1_000))).toBe(1_000);
});

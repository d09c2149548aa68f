// What an opening may hold.
import { mustCompileCatalogue, rez, type FirstEvents } from '@sluice/schemas';
import { expect, test } from 'vitest';
import type { Principal } from '../access/permission.ts';
import { CUSTOMER, createDelivery, ORDERS, resolve } from '../delivery/delivery.fixture.ts';
import { Endings } from '../delivery/endings.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { openWithFirst, type Opened } from './opening.ts';
import { settle } from './pod.fixture.ts';

const REZ = mustCompileCatalogue(rez);

interface Setting {
  channel: string;
  first: FirstEvents;
  who?: Principal;
  maxStates?: number;
  /** Fills the log; what comes after `fillTail` is called is in the tail. */
  fill: (log: ModelStream, startTail: () => void) => void;
  maxSubjects?: number;
}

const openFirst = async (setting: Setting): Promise<Opened> => {
  const { channel, first, who = CUSTOMER, maxStates = 200, fill, maxSubjects } = setting;
  const { tails, channels, gate } = createDelivery({ catalogue: REZ });
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const log = streams.get('ORDER')!;
  const tail = tails.get('ORDER')!;
  let inTail = Number.POSITIVE_INFINITY;
  fill(log, () => (inTail = log.last));
  tail.begin(log.epoch, Math.min(inTail, log.last) + 1);
  for (const { sequence, timeMs, subject, payload } of log.events) {
    if (sequence > inTail) tail.append(sequence, timeMs, subject, payload);
  }
  const cold = new ModelCold(streams);
  if (maxSubjects !== undefined) cold.maxSubjects = maxSubjects;
  const { streams: ofChannel, resolved } = channels.acquire(resolve(who, channel, REZ));
  const stream = ofChannel.find((each) => each.tail.stream === 'ORDER')!;
  const endings = new Endings(REZ, (subject, payload) => gate.peek(subject, payload));
  const sources = { cold, families: REZ.families, maxStates, endings: resolved.omitsEnded ? endings : undefined };
  const opened = Promise.resolve(openWithFirst(stream, first, sources));
  for (let i = 0; i < 600; i++) {
    for (const asked of cold.asked.splice(0)) asked.answer();
    await settle();
  }
  return await opened;
};

const openLast = (last: number, filler: number): Promise<Opened> =>
  openFirst({
    channel: 'order:o-1',
    first: { last },
    fill: (log) => {
      for (let i = 1; i <= 60; i++) log.append(1_000 + i, 'order.m-1.u-1.o-1.status_changed', { filler });
    },
  });

test.each([5, 40, 60, 100])('the last %i are brought along while they are small', async (last) => {
  const opened = await openLast(last, 10);

  expect(opened).toMatchObject({ kind: 'start', start: { after: 60, isSettled: false } });
  expect(opened.kind === 'start' && opened.start.events.length).toBe(Math.min(last, 60));
});

test.each([
  [40, 20],
  [60, 0],
  [100, 0],
])('of the last %i large ones only where they begin is kept', async (last, after) => {
  expect(await openLast(last, 15_000)).toMatchObject({ kind: 'start', start: { after, events: [], isSettled: true } });
});

const statesOf = (opened: Opened): string[] => {
  if (opened.kind !== 'start') throw new Error(opened.kind);
  return opened.start.events.map(({ subject, sequence }) => `${subject.split('.').slice(3).join('.')} ${sequence}`);
};

const MERCHANT: Principal = { subject: 'u-9', role: 'merchant_owner', claims: { merchantId: 'm-1' } };

/** Twenty orders one after the other, created and moved on; the even ones are delivered. */
const twentyOrders = (log: ModelStream, startTail: () => void): void => {
  for (let i = 1; i <= 20; i++) {
    if (i === 15) startTail();
    const append = (type: string, status?: string): void =>
      log.append(1_000 + log.last, `order.m-1.u-1.o-${i}.${type}`, { data: { status } });
    append('created');
    append('status_changed', 'preparing');
    // Not for the shop's screen, and no subject of it.
    append('location_updated');
    append('status_changed', i % 2 === 0 ? 'delivered' : 'ready');
  }
};

test.each([Number.POSITIVE_INFINITY, 5])(
  'a shop begins with its open orders, be it at most %d subjects that the server takes a snapshot of',
  async (maxSubjects) => {
    const opened = await openFirst({
      channel: 'merchant:m-1',
      first: 'states',
      who: MERCHANT,
      fill: twentyOrders,
      maxSubjects,
    });

    const odd = Array.from({ length: 10 }, (_, i) => 2 * i + 1);
    expect(statesOf(opened)).toEqual(
      odd.flatMap((i) => [`o-${i}.created ${4 * i - 3}`, `o-${i}.status_changed ${4 * i}`]),
    );
    expect(opened).toMatchObject({ start: { after: 80, isSettled: false } });
  },
);

test('of many open orders the newest are shown, by when they were last heard of', async () => {
  const opened = await openFirst({
    channel: 'merchant:m-1',
    first: 'states',
    who: MERCHANT,
    fill: twentyOrders,
    maxStates: 3,
  });

  expect(statesOf(opened)).toEqual(['o-17.status_changed 68', 'o-19.created 73', 'o-19.status_changed 76']);
});

test.each([200, 4])('too many states for a snapshot begin with the newest %d, each once', async (maxStates) => {
  const opened = await openFirst({
    channel: 'user:u-1',
    first: 'states',
    fill: (log, startTail) => {
      for (let i = 1; i <= 2_000; i++) {
        if (i === 1_700) startTail();
        log.append(1_000 + i, `order.m-1.u-1.o-${Math.ceil(i / 2)}.status_changed`);
      }
    },
    maxSubjects: 100,
    maxStates,
  });

  const newest = Array.from({ length: 1_000 }, (_, i) => `o-${i + 1}.status_changed ${2 * (i + 1)}`);
  const states = statesOf(opened);
  expect(states).toEqual(newest.slice(-states.length));
  expect(states.length).toBe(Math.min(maxStates, 512));
});

test('the last are found where retention moves on with every read', async () => {
  const { tails, channels } = createDelivery();
  const log = new ModelStream('ORDER');
  for (let i = 1; i <= 60; i++) log.append(1_000 + i, 'order.m-1.u-1.o-1.status_changed');
  tails.get('ORDER')!.begin(log.epoch, log.last + 1);
  const cold = new ModelCold(new Map([['ORDER', log]]));
  const stream = channels.acquire(resolve(MERCHANT, 'order:o-1')).streams[0]!;
  const sources = { cold, families: ORDERS.families, maxStates: 200 };
  let opened: Opened | undefined;
  void Promise.resolve(openWithFirst(stream, { last: 100 }, sources)).then((result) => (opened = result));
  for (let i = 0; i < 40 && !opened; i++) {
    log.truncate(log.first + 1);
    for (const asked of cold.asked.splice(0)) asked.answer();
    await settle();
  }

  // Pages of three; of the first one what was gone when it came is left out.
  const sequences = opened?.kind === 'start' && opened.start.events.map(({ sequence }) => sequence);
  expect(sequences).toEqual(Array.from({ length: 58 }, (_, i) => i + 3));
});

// Pages from JetStream wait in memory until their socket takes them: how many of one connection may wait at once (I5).
import { encodePosition } from '@sluice/schemas';
import { expect, test } from 'vitest';
import { resolveChannel } from '../access/permission.ts';
import { ORDERS } from '../delivery/delivery.fixture.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { createTestPod, settle } from './pod.fixture.ts';
import { CUSTOMER, hello, subscribe } from './session.fixture.ts';

const CHANNELS = 12;
const PER_CHANNEL = 6;
const EVENT_BYTES = 20_000;
const BUDGET_BYTES = 64 * 1024;

const positionOf = (channel: string): string => {
  const resolved = resolveChannel(ORDERS, CUSTOMER, channel);
  if (!resolved.ok) throw new Error(channel);
  const entries = ['ORDER-1', 'PAYMENT-1'].map((epoch) => ({ epoch, sequence: 0, timeMs: 0 }));
  return encodePosition({ key: resolved.value.key, entries });
};

test('a socket that does not read holds about its budget of pages, and gets all of them when it reads', async () => {
  const streams = new Map(['ORDER', 'PAYMENT'].map((name) => [name, new ModelStream(name)]));
  const cold = new ModelCold(streams);
  const pod = createTestPod({ cold, limits: { socketBudgetBytes: BUDGET_BYTES } });
  for (const [name, log] of streams) {
    for (let i = 0; i < CHANNELS * PER_CHANNEL; i++) {
      const subject = `${name.toLowerCase()}.m-1.u-1.o-${i % CHANNELS}.${name === 'ORDER' ? 'status_changed' : 'failed'}`;
      log.append(1_000 + i, subject, { filler: EVENT_BYTES });
    }
    pod.sinkOf(name).begin({ stream: name, epoch: log.epoch, created: '' }, log.last + 1, 'boot');
  }
  const channels = Array.from({ length: CHANNELS }, (_, i) => `order:o-${i}`);
  const connection = pod.connect('msgpack', 2_000);
  connection.write(hello(), ...channels.map((each, id) => subscribe(id, each, { position: positionOf(each) })));
  const work = async (): Promise<number> => {
    let pages = 0;
    for (let i = 0; i < 40; i++) {
      await settle();
      pages += cold.asked.length;
      for (const asked of cold.asked.splice(0)) asked.answer();
      pod.turn();
    }
    return pages;
  };

  const pages = await work();
  // A page has three events; both streams of a channel must have theirs before it goes on.
  const heldBytes = pages * 3 * EVENT_BYTES;
  expect(heldBytes).toBeGreaterThan(BUDGET_BYTES);
  expect(heldBytes).toBeLessThan(6 * BUDGET_BYTES);

  let events = 0;
  for (let i = 0; i < 200; i++) {
    events += connection.read().filter(({ kind }) => kind === 'event').length;
    await work();
  }
  expect(events).toBe(2 * CHANNELS * PER_CHANNEL);
});

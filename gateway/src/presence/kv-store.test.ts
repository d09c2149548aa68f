// What the marks of removed entries are for: whoever clears away after a pod finds by them whom it had not told about yet.
import { expect, test } from 'vitest';
import type { NatsLink } from '../log/nats.ts';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { KvStore } from './kv-store.ts';

const createStore = (deadAfterMs: number, hasTtl = true) => {
  const sent: unknown[] = [];
  const link = {
    newInbox: () => '_INBOX.x',
    subscribe: () => ({ unsubscribe: () => {} }),
    onConnectionChange: () => () => {},
    request: async (subject: string, payload: string, _: number, headers: unknown) => {
      sent.push([subject, payload, headers]);
      return { data: Buffer.from('{"stream":"KV_presence","seq":7}') };
    },
  } as unknown as NatsLink;
  return { sent, store: new KvStore({ link, clock: new ManualClock(), bucket: 'presence', hasTtl, deadAfterMs }) };
};

test.each([
  [16_000, '120s'],
  [600_000, '1200s'],
])('a pod that may be dead unnoticed for %i ms leaves marks for %s', async (deadAfterMs, ttl) => {
  const { store, sent } = createStore(deadAfterMs);
  await store.removeEntry('u-1', 'pod');

  expect(sent).toEqual([['$KV.presence.user.u-1.pod', '', { 'KV-Operation': 'DEL', 'Nats-TTL': ttl }]]);
});

test('a bucket without times to live keeps them until they are too old', async () => {
  const { store, sent } = createStore(16_000, false);
  await store.removeEntry('u-1', 'pod');

  expect(sent).toEqual([['$KV.presence.user.u-1.pod', '', { 'KV-Operation': 'DEL' }]]);
});

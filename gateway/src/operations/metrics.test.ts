import { afterEach, expect, test } from 'vitest';
import { createMetrics, METRICS, type Metrics, type Readings, type StreamReadings } from './metrics.ts';

const ORDER: StreamReadings = {
  stream: 'ORDER',
  eventsRead: 1_000,
  lastHeardMs: 9_500,
  leaderSequence: 1_203,
  recreations: 1,
  generations: 0,
  moves: 0,
  doubts: { gap: 2 },
  head: 1_200,
  tailFirstSequence: 201,
  tailEvents: 900,
  tailBytes: 120_000,
  headTimeMs: 9_000,
};

const READINGS: Readings = {
  nowMs: 10_000,
  isReady: true,
  connections: { msgpack: 3, json: 1 },
  connectionsTotal: 9,
  users: 2,
  subscriptions: 7,
  subscriptionsBehind: 1,
  channels: 5,
  delivered: 4_000,
  sentMessages: 40,
  sentBytes: 600_000,
  flushes: 30,
  fromTail: 50,
  fromCold: 60,
  recovered: 4,
  fellBehind: 1,
  coldReads: 2,
  resets: { truncated: 1 },
  errors: { forbidden: 2 },
  closes: { token_expired: 1 },
  commands: { stored: 6, duplicate: 1 },
  calls: { answered: 2 },
  requestsInFlight: 1,
  refusals: { schema: 3 },
  conflated: 12,
  expired: 2,
  ephemeral: { received: 5, sent: 9 },
  grants: { inUse: 4, suspended: 2, isCurrent: false },
  presence: { told: { online: 2, offline: 1 }, pods: 3, pending: 1 },
  auth: { accepted: 8, token_expired: 1 },
  streams: [ORDER, { ...ORDER, stream: 'PAYMENT', head: 1_300 }],
};

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close();
});

const create = (read: () => Readings): Metrics => {
  const metrics = createMetrics(read);
  open.push(metrics);
  return metrics;
};

const valuesOf = (page: string): Map<string, number> =>
  new Map(
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

test('a scrape shows what the parts have counted', async () => {
  const values = valuesOf(await create(() => READINGS).text());

  expect(values.get('sluice_ready')).toBe(1);
  expect(values.get('sluice_connections{encoding="msgpack"}')).toBe(3);
  expect(values.get('sluice_catch_up_events_total{source="cold"}')).toBe(60);
  expect(values.get('sluice_auth_total{outcome="token_expired"}')).toBe(1);
  expect(values.get('sluice_reader_doubts_total{stream="ORDER",cause="gap"}')).toBe(2);
  expect(values.get('sluice_reader_silence_seconds{stream="ORDER"}')).toBe(0.5);
  expect(values.get('sluice_reader_lag_events{stream="ORDER"}')).toBe(3);
  expect(values.get('sluice_reader_lag_events{stream="PAYMENT"}')).toBe(0);
  expect(values.get('sluice_tail_head_sequence{stream="PAYMENT"}')).toBe(1_300);
  expect(values.get('sluice_grants')).toBe(4);
  expect(values.get('sluice_grants_suspended')).toBe(2);
  expect(values.get('sluice_grants_current')).toBe(0);
});

test('the process and its event loop are measured too', async () => {
  const page = await create(() => READINGS).text();

  expect(page).toContain('nodejs_eventloop_lag_p99_seconds');
  expect(page).toContain('process_cpu_seconds_total');
  expect(page).toContain('process_resident_memory_bytes');
});

test('every metric of the table has a value', async () => {
  const names = new Set([...valuesOf(await create(() => READINGS).text()).keys()].map((key) => key.split('{')[0]));

  expect(METRICS.filter(({ name }) => !names.has(name))).toEqual([]);
});

test('a second scrape shows new totals, not sums of both; what is gone is gone', async () => {
  let readings = READINGS;
  const metrics = create(() => readings);
  await metrics.text();

  readings = { ...READINGS, delivered: 5_000, connections: { json: 1 }, streams: [] };
  const values = valuesOf(await metrics.text());

  expect(values.get('sluice_events_delivered_total')).toBe(5_000);
  expect(values.has('sluice_connections{encoding="msgpack"}')).toBe(false);
  expect(values.has('sluice_tail_events{stream="ORDER"}')).toBe(false);
});

test('two gateways in one process keep their figures apart', async () => {
  const [one, other] = [create(() => READINGS), create(() => ({ ...READINGS, delivered: 1 }))];

  const pages = await Promise.all([one.text(), other.text()]);

  expect(pages.map((page) => valuesOf(page).get('sluice_events_delivered_total'))).toEqual([4_000, 1]);
});

test('names follow the rules of Prometheus', () => {
  const names = METRICS.map(({ name }) => name);

  expect(new Set(names).size).toBe(names.length);
  for (const { name, kind, help } of METRICS) {
    expect(name).toMatch(/^sluice_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    expect(help).toMatch(/\.$/);
  }
});

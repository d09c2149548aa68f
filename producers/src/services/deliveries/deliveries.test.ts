import { expect, test } from 'vitest';
import { Bench, START_MS, user } from '../service.fixture.ts';
import { type Deliveries, reactToAssignments } from './deliveries.ts';
import { kilometresBetween } from './distance.ts';
import { deliveriesService } from './service.ts';

const keys = { merchantId: 'm-1', userId: 'u-1', orderId: 'o-1' };
const timestamp = new Date(START_MS).toISOString();
const home = { latitude: 12.97, longitude: 77.59 };
const partner = { id: 'd-1', name: 'Dev', phone: '' };
const courier = user('d-1', { role: 'delivery_partner' });

const change = (bench: Bench<Deliveries>, status: string): void =>
  bench.happen({
    type: 'order.status_changed',
    keys,
    payload: { orderId: 'o-1', status, deliveryPartner: partner, timestamp },
  });

const onTheRoad = (): Bench<Deliveries> => {
  const bench = new Bench(deliveriesService);
  const customer = { name: 'Uma', phone: '' };
  const order = { ...keys, orderNumber: 'R-1', customer, items: 1, total: 1, type: 'delivery', createdAt: timestamp };
  bench.happen({ type: 'order.created', keys, payload: { ...order, ...{ destination: home } } });
  change(bench, 'out_for_delivery');
  return bench;
};

const report = (bench: Bench<Deliveries>, latitude: number) =>
  bench.send(courier, 'delivery.report_location', {
    orderId: 'o-1',
    location: { latitude, longitude: home.longitude },
  });

test('a place is a location with its distance; the estimate is told when it changes; arriving is told once', () => {
  const bench = onTheRoad();
  report(bench, 12.99);
  report(bench, 12.9899);
  expect(bench.of('order.location_updated')).toMatchObject([
    { keys, payload: { distanceToDestination: 2.224, deliveryPartner: { name: 'Dev' } } },
    {},
  ]);
  expect(bench.of('order.eta_updated')).toHaveLength(1);
  bench.nowMs += 10 * 60_000;
  report(bench, 12.989);
  expect(bench.of('order.eta_updated').at(-1)?.payload.delayMinutes).toBeGreaterThan(1);
  report(bench, home.latitude);
  report(bench, home.latitude);
  expect(bench.of('delivery.arrived')).toMatchObject([{ keys, payload: { orderNumber: 'R-1' } }]);
});

test('only its partner and its store say where an order is, and only on the road', () => {
  const bench = onTheRoad();
  const location = home;
  const other = user('d-2', { role: 'delivery_partner' });
  for (const actor of [other, user('d-1'), user('o-2', { role: 'merchant_owner', merchantId: 'm-2' })]) {
    expect(bench.send(actor, 'delivery.report_location', { orderId: 'o-1', location })).toMatchObject({
      code: 'unknown_order',
    });
  }
  change(bench, 'delivered');
  expect(report(bench, 12.98)).toMatchObject({ code: 'not_on_the_road', state: { status: 'delivered' } });
});

test('the partner has a grant from the assignment to the end, also where an old event comes again', () => {
  const bench = onTheRoad();
  const [assigned] = bench.of('order.status_changed');
  const effectOf = () => reactToAssignments(bench.state, assigned!)[0]?.effects;
  expect(effectOf()).toEqual([{ kind: 'grant', channel: 'order:o-1', userId: 'd-1' }]);
  change(bench, 'delivered');
  expect(effectOf()).toEqual([{ kind: 'revoke', channel: 'order:o-1', userId: 'd-1' }]);
});

test('distances are those of the globe', () => {
  const berlin = { latitude: 52.52, longitude: 13.405 };
  const paris = { latitude: 48.8566, longitude: 2.3522 };
  expect(kilometresBetween(berlin, paris)).toBeCloseTo(877.5, 0);
  expect(kilometresBetween(paris, paris)).toBe(0);
});

// The service of this domain: scooters that move, and are ridden now and then. Publishes events, and knows no gateway.
//
//     node examples/scooters/dist/fleet.js        NATS: SLUICE_NATS_URL, default nats://127.0.0.1:4222
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { applyStreams, createPublisher } from '@sluice/producers';
import { mustCompileCatalogue } from '@sluice/schemas';
import { catalogue } from './catalogue.ts';

const CITY = 'berlin';
const SCOOTERS = 5;
const TICK_MS = 250;
/** About 20 m. */
const STEP_DEGREES = 0.0002;
const RIDE_TICKS = 40;
const PRICE_PER_MINUTE = 0.25;

interface Scooter {
  readonly scooterId: string;
  position: { latitude: number; longitude: number };
  batteryPercent: number;
  ride?: { readonly rideId: string; readonly riderId: string; readonly startedTick: number };
}

const connection = await connect({ servers: process.env['SLUICE_NATS_URL'] || 'nats://127.0.0.1:4222' });
await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(catalogue));
const publisher = await createPublisher({ catalogue, connection });

const scooters = Array.from({ length: SCOOTERS }, (_, at): Scooter => ({
  scooterId: `s-${at + 1}`,
  position: { latitude: 52.5 + at / 100, longitude: 13.4 },
  batteryPercent: 100 - at,
}));
const now = (): string => new Date().toISOString();
const wander = (degrees: number): number => degrees + (Math.random() - 0.5) * 2 * STEP_DEGREES;

/** Scooter s-1 belongs to rider u-1, s-2 to u-2, and so on: whoever tries this out has something to see. */
const startRide = async (scooter: Scooter, tick: number): Promise<void> => {
  const { scooterId } = scooter;
  const riderId = scooterId.replace('s-', 'u-');
  const rideId = `ride-${scooterId}-${Date.now()}`;
  scooter.ride = { rideId, riderId, startedTick: tick };
  await publisher.publish('ride.started', { riderId, rideId }, { rideId, scooterId, timestamp: now() });
};

const endRide = async (
  scooter: Scooter,
  { rideId, riderId, startedTick }: NonNullable<Scooter['ride']>,
  tick: number,
) => {
  delete scooter.ride;
  const minutes = ((tick - startedTick) * TICK_MS) / 60_000;
  const price = Math.round(minutes * PRICE_PER_MINUTE * 100) / 100;
  await publisher.publish('ride.ended', { riderId, rideId }, { rideId, minutes, price, timestamp: now() });
};

const live = async (scooter: Scooter, at: number, tick: number): Promise<void> => {
  const { scooterId, ride } = scooter;
  if (ride && tick - ride.startedTick >= RIDE_TICKS) await endRide(scooter, ride, tick);
  else if (!ride && (tick + at * 7) % (2 * RIDE_TICKS) === 0) await startRide(scooter, tick);
  if (scooter.ride) {
    const { latitude, longitude } = scooter.position;
    scooter.position = { latitude: wander(latitude), longitude: wander(longitude) };
    scooter.batteryPercent = Math.max(0, scooter.batteryPercent - 0.01);
  }
  const { position, batteryPercent } = scooter;
  const payload = { scooterId, position, batteryPercent, isFree: !scooter.ride, timestamp: now() };
  await publisher.publish('scooter.moved', { city: CITY, scooterId }, payload);
};

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort()).once('SIGINT', () => stop.abort());
process.stdout.write(`${SCOOTERS} scooters of ${CITY} are on the road; Ctrl-C parks them\n`);
for (let tick = 0; !stop.signal.aborted; tick++) {
  await Promise.all(scooters.map((scooter, at) => live(scooter, at, tick)));
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
await publisher.close();
await connection.close();

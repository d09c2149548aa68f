// A fleet of scooters: what happens to them, and who may watch. All that a gateway has to know of this domain.
import { Type } from 'typebox';
import { catalogue as define, channel, claim, family, filter, param, state } from '@sluice/schemas';

const Id = Type.String({ minLength: 1, maxLength: 128 });
const Timestamp = Type.String({ minLength: 10, maxLength: 40 });
const DAY_MS = 86_400_000;

/** A position is worth nothing tomorrow; a ride is on somebody's bill. */
const scooter = family({
  name: 'scooter',
  subject: 'scooter.{city}.{scooterId}',
  stream: { name: 'FLEET', maxAgeMs: DAY_MS },
  types: {
    moved: state(
      Type.Object({
        scooterId: Id,
        position: Type.Object({
          latitude: Type.Number({ minimum: -90, maximum: 90 }),
          longitude: Type.Number({ minimum: -180, maximum: 180 }),
        }),
        batteryPercent: Type.Number({ minimum: 0, maximum: 100 }),
        isFree: Type.Boolean(),
        timestamp: Timestamp,
      }),
      // Scooters report several times a second; a map on a phone needs one position a second.
      { conflate: { everyMs: 1_000 } },
    ),
  },
});

const ride = family({
  name: 'ride',
  subject: 'ride.{riderId}.{rideId}',
  stream: { name: 'RIDE', maxAgeMs: 30 * DAY_MS },
  types: {
    started: state(Type.Object({ rideId: Id, scooterId: Id, timestamp: Timestamp })),
    ended: state(Type.Object({ rideId: Id, minutes: Type.Number(), price: Type.Number(), timestamp: Timestamp })),
  },
});

export const catalogue = define({
  families: [scooter, ride],
  channels: [
    // The map: anyone signed in.
    channel({
      name: 'city:{city}',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(scooter, { city: param('city') })] }],
    }),
    // One's own rides, joined by itself: `rider:u-1` for the token of u-1, for nobody else.
    channel({
      name: 'rider:{riderId}',
      owner: { riderId: claim('sub') },
      plain: { riderId: claim('sub') },
      joined: 'any',
      first: 'states',
      access: [{ roles: 'any', filters: [filter(ride, { riderId: param('riderId') })] }],
    }),
    // The control room: everything.
    channel({
      name: 'fleet',
      first: 'states',
      access: [{ roles: ['operator'], filters: [filter(scooter, {}), filter(ride, {})] }],
    }),
  ],
  role: { claim: 'role', fallback: 'rider' },
});

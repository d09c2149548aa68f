// I1, I2, I3 from the client's side: cuts, resets, pings, unsubscribes and throwing listeners at any moment. Each
// channel sees every event that is owed once and in order, or a reset; positions go back only on a reset.
import { parsePosition } from '@sluice/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createClientOver } from './door.ts';
import { createMemoryPositions } from './positions.ts';
import { ManualClock } from './scripted.fixture.ts';
import { SimulatedGateway } from './simulated-gateway.fixture.ts';

const CHANNELS = ['order:o-1', 'order:o-2'] as const;

const channel = fc.constantFrom(...CHANNELS);
const stream = fc.nat(1);

const happening = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('append' as const), stream, channel }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('read' as const) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5_000 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('cut' as const, 'ping', 'offline', 'online', 'drain') }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constantFrom('unsubscribe' as const, 'subscribe', 'refuse'), channel }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('repeat' as const), stream, channel }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('purge' as const, 'recreate'), stream }) },
  // Chance alone rarely cuts between a `subscribed` and the reset that it announces.
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('miss' as const),
      stream,
      channel,
      count: fc.integer({ min: 1, max: 6 }),
      isCut: fc.boolean(),
    }),
  },
);

/** What one channel's listeners have been told since the last reset. */
class Observed {
  readonly channel: string;
  readonly sequences = new Map<string, number[]>();
  position: ReadonlyMap<string, number> = new Map();

  constructor(name: string) {
    this.channel = name;
  }

  /** Judges nothing: what a listener throws is the client's to swallow. The end compares with what was owed. */
  take(epoch: string, sequence: number): void {
    this.sequences.set(epoch, [...(this.sequences.get(epoch) ?? []), sequence]);
  }

  reset(): void {
    this.sequences.clear();
    this.position = new Map();
  }

  moveTo(text: string | undefined): void {
    const parsed = text === undefined ? undefined : parsePosition(text);
    const entries = parsed?.ok ? parsed.value.entries : [];
    for (const { epoch, sequence } of entries) {
      expect(sequence).toBeGreaterThanOrEqual(this.position.get(epoch) ?? 0);
    }
    this.position = new Map(entries.map(({ epoch, sequence }) => [epoch, sequence]));
  }
}

class World {
  readonly gateway = new SimulatedGateway();
  readonly clock = new ManualClock();
  readonly observed = new Map(CHANNELS.map((name) => [name as string, new Observed(name)]));
  readonly client;
  #events = 0;

  constructor(random: () => number, throwEvery: number) {
    this.client = createClientOver(() => this.gateway.scripted.transport)({
      url: 'ws://gateway.test',
      token: 'token',
      clock: this.clock,
      random,
      positions: createMemoryPositions(),
      maxAttempts: Number.POSITIVE_INFINITY,
    });
    this.client.on('error', () => {});
    this.#throwEvery = throwEvery;
  }

  readonly #throwEvery: number;

  subscribe(name: string): void {
    if (this.client.subscription(name)) return;
    const observed = this.observed.get(name)!;
    const subscription = this.client.subscribe(name);
    subscription.on('event', (event) => {
      if (!event.isEphemeral) observed.take(event.epoch, event.sequence);
    });
    subscription.on('reset', () => observed.reset());
    subscription.on('event', () => {
      if (++this.#events % this.#throwEvery === 0) throw new Error('a listener of the application');
    });
  }

  check(): void {
    for (const [name, observed] of this.observed) {
      const subscription = this.client.subscription(name);
      if (subscription) observed.moveTo(subscription.position);
    }
  }

  /** The network is well again and nobody interferes: everybody gets what is owed. */
  settle(): void {
    this.client.networkChanged(true);
    for (const name of CHANNELS) this.subscribe(name);
    for (let i = 0; i < 200; i++) {
      this.gateway.read();
      if (this.gateway.hasUnderWay) this.gateway.deliverAll();
      else if (CHANNELS.every((name) => this.client.subscription(name)?.status === 'live')) return;
      else this.clock.advance(this.clock.nextMs ?? 0);
    }
    throw new Error(`not live: ${CHANNELS.map((name) => this.client.subscription(name)?.status).join(', ')}`);
  }
}

test('I1 I2 I3: whatever happens, every owed event is delivered once and in order, or a reset says otherwise', () => {
  fc.assert(
    fc.property(
      fc.array(happening, { minLength: 10, maxLength: 120 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      fc.integer({ min: 1, max: 20 }),
      (happenings, randoms, throwEvery) => {
        const world = new World(() => randoms.next().value as number, throwEvery);
        const { gateway, clock, client } = world;
        for (const name of CHANNELS) world.subscribe(name);
        client.connect();
        for (const each of happenings) {
          if (each.what === 'append') gateway.append(each.stream, each.channel);
          if (each.what === 'deliver') gateway.deliver(each.count);
          if (each.what === 'read') gateway.read();
          if (each.what === 'wait') clock.advance(each.ms);
          if (each.what === 'cut') gateway.cut();
          if (each.what === 'ping') gateway.ping();
          if (each.what === 'drain') gateway.drain();
          if (each.what === 'offline') client.networkChanged(false);
          if (each.what === 'online') client.networkChanged(true);
          if (each.what === 'unsubscribe') client.subscription(each.channel)?.unsubscribe();
          if (each.what === 'subscribe') world.subscribe(each.channel);
          if (each.what === 'refuse') gateway.refuse(each.channel);
          if (each.what === 'repeat') gateway.repeat(each.stream, each.channel);
          if (each.what === 'purge') gateway.purge(each.stream);
          if (each.what === 'recreate') gateway.recreate(each.stream);
          if (each.what === 'miss') {
            gateway.cut();
            gateway.append(each.stream, each.channel);
            gateway.purge(each.stream);
            client.networkChanged(false);
            client.networkChanged(true);
            gateway.read();
            gateway.deliver(each.count);
            if (each.isCut) gateway.cut();
          }
          world.check();
        }

        world.settle();

        world.check();
        for (const [name, { sequences }] of world.observed) {
          for (const log of gateway.streams) {
            const seen = sequences.get(log.epoch) ?? [];
            const start = gateway.starts.get(`${name} ${log.epoch}`) ?? 1;
            // From where the last fresh start began: no gap (I2), in order and each once (I1, I3). What retention took after it was delivered
            // counts as well.
            const owed = log.events.filter((event) => event.channel === name && event.sequence >= start);
            expect(seen).toEqual(owed.map(({ sequence }) => sequence));
          }
        }
        client.close();
        expect(clock.pending).toBe(0);
      },
    ),
  );
});

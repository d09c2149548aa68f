// Users come and go on several pods that are killed, cut off from NATS, stopped and started, by clocks that are set back:
// what has been told is right in the end, and every transition was told once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../operations/manual-clock.fixture.ts';
import { seededRandom } from './seeded-random.fixture.ts';
import { DEAD_AFTER_MS, LEASE_MS, LINGER_MS, ModelPod, ModelServer } from './model-store.fixture.ts';

const PODS = 3;
const USERS = ['u-1', 'u-2', 'u-3'];
const STEP_MS = 100;

type Step =
  | { readonly kind: 'open' | 'close'; readonly pod: number; readonly user: string }
  | { readonly kind: 'kill' | 'stop' | 'cut' | 'heal'; readonly pod: number }
  | { readonly kind: 'outage' | 'end_of_outage' }
  | { readonly kind: 'set_back'; readonly ms: number }
  | { readonly kind: 'pass'; readonly ms: number };

const pod = fc.nat(PODS - 1);
const user = fc.constantFrom(...USERS);
const pass = fc.record({
  kind: fc.constant('pass' as const),
  ms: fc.oneof(fc.nat(300), fc.nat(6_000), fc.nat(40_000)),
});
const open = fc.record({ kind: fc.constantFrom('open' as const, 'open' as const, 'close' as const), pod, user });
const fault = fc.record({
  kind: fc.constantFrom('kill' as const, 'stop' as const, 'cut' as const, 'heal' as const),
  pod,
});
const outage = fc.record({ kind: fc.constantFrom('outage' as const, 'end_of_outage' as const) });
/** All clocks at once: the pods' and the server's. */
const setBack = fc.record({ kind: fc.constant('set_back' as const), ms: fc.oneof(fc.nat(20_000), fc.nat(3_600_000)) });
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: open },
    { weight: 4, arbitrary: pass },
    { weight: 2, arbitrary: fault },
    { weight: 1, arbitrary: outage },
    { weight: 1, arbitrary: setBack },
  ),
  { minLength: 1, maxLength: 25 },
);

class World {
  readonly clock = new ManualClock();
  readonly server = new ModelServer(this.clock);
  readonly pods: ModelPod[] = [];
  readonly #random: () => number;
  #started = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    for (let at = 0; at < PODS; at++) this.start(at);
  }

  start(at: number): void {
    this.pods[at] = new ModelPod(this.server, this.#random, `pod-${++this.#started}`);
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      this.clock.advance(Math.min(STEP_MS, ms - passed));
      await settle();
    }
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'open':
        return this.pods[step.pod]!.open(step.user);
      case 'close':
        return this.pods[step.pod]!.close(step.user);
      case 'kill':
        this.pods[step.pod]!.kill();
        return this.start(step.pod);
      case 'stop':
        this.pods[step.pod]!.closeAll();
        void this.pods[step.pod]!.presence.stop(LINGER_MS + 2_000);
        return this.start(step.pod);
      case 'cut':
        this.pods[step.pod]!.isCut = true;
        return;
      case 'heal':
        return this.pods[step.pod]!.heal();
      case 'outage':
        for (const each of this.pods) each.isCut = true;
        return;
      case 'end_of_outage':
        for (const each of this.pods) each.heal();
        return;
      case 'set_back':
        return this.clock.setBack(step.ms);
      case 'pass':
        return this.pass(step.ms);
    }
  }

  isHere(who: string): boolean {
    return this.pods.some(({ devices }) => devices.has(who));
  }

  /** Each `online` is followed by an `offline` and the other way round, beginning with an `online`. */
  expectAlternation(): void {
    for (const who of USERS) {
      const states = this.server.events.filter((event) => event.user === who).map(({ state }) => state);
      expect(states).toEqual(states.map((_, at) => (at % 2 === 0 ? 'online' : 'offline')));
    }
  }
}

const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
};

test('whatever happens to pods and to NATS, in the end everybody is told right, and each transition once', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer(), async (all, seed) => {
      const world = new World(seed);
      for (const step of all) await world.run(step);

      for (const each of world.pods) each.heal();
      await world.pass(2 * DEAD_AFTER_MS + 4 * LEASE_MS);

      for (const who of USERS) expect([who, world.server.isOnline(who)]).toEqual([who, world.isHere(who)]);
      world.expectAlternation();
      const alive = [...world.server.leases.keys()].sort();
      expect(alive).toEqual(world.pods.map(({ presence }) => presence.podId).sort());
      for (const { presence, devices } of world.pods) expect(presence.here).toBe(devices.size);
      const entries = world.pods.flatMap(({ presence, devices }) =>
        [...devices.keys()].map((who) => `${who} ${presence.podId}`),
      );
      // What a pod writes that hears no answers, and dies of it, may be left to the age limit of the bucket.
      const mayBeLeft = all.some(({ kind }) => kind === 'cut' || kind === 'outage');
      const found = world.server.liveEntries().filter((key) => !mayBeLeft || alive.includes(key.split(' ')[1]!));
      expect(found.sort()).toEqual(entries.sort());
    }),
  );
});

const moves = fc.array(fc.record({ pod, lateMs: fc.nat(4_000), stayMs: fc.nat(20_000) }), {
  minLength: 1,
  maxLength: 8,
});

test('a user who is never without a device is never told to be offline, wherever the devices are', async () => {
  await fc.assert(
    fc.asyncProperty(moves, fc.integer(), async (all, seed) => {
      const world = new World(seed);
      let at = 0;
      world.pods[at]!.open('u-1');
      for (const { pod: next, lateMs, stayMs } of all) {
        await world.pass(stayMs);
        // The new device may come before the old one goes, or within the linger after it.
        if (lateMs > LINGER_MS - 1_500) {
          world.pods[next]!.open('u-1');
          await world.pass(lateMs);
          world.pods[at]!.close('u-1');
        } else {
          world.pods[at]!.close('u-1');
          await world.pass(lateMs);
          world.pods[next]!.open('u-1');
        }
        at = next;
      }
      await world.pass(DEAD_AFTER_MS);

      expect(world.server.events.map(({ state }) => state)).toEqual(['online']);
    }),
  );
});

test('two pods that notice a third one’s death tell it once, within the time that was promised', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat(LEASE_MS), async (seed, aliveMs) => {
      const world = new World(seed);
      for (const who of USERS) world.pods[0]!.open(who);
      await world.pass(DEAD_AFTER_MS + aliveMs);
      world.pods[0]!.kill();
      await world.pass(DEAD_AFTER_MS + 2 * LEASE_MS + 2_000);

      for (const who of USERS) {
        const states = world.server.events.filter((event) => event.user === who).map(({ state }) => state);
        expect(states).toEqual(['online', 'offline']);
      }
    }),
  );
});

// Another domain, as its README runs it: a catalogue as a module path, its streams made by the command, its service as a
// process, and a gateway that is told of it by one setting.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFailed, test } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { startGateway } from '../kit/gateway.ts';
import { startNatsServer } from '../kit/nats-server.ts';
import { startProcess } from '../kit/process.ts';
import { SdkClient } from '../kit/sdk-client.ts';
import { secretIssuer } from '../kit/token.ts';

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const SLUICE = pathOf('deploy/bin/sluice.mjs');
const EXAMPLE = pathOf('examples/scooters/dist');
const CATALOGUE = `${EXAMPLE}/catalogue.js`;

test('a gateway serves a fleet of scooters by one setting', async () => {
  await using nats = await startNatsServer();
  const env = { PATH: process.env['PATH'] ?? '', SLUICE_NATS_URL: nats.url };
  const sluice = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [SLUICE, ...args], { env, timeout: 20_000 })).stdout;
  expect(await sluice('catalogue', 'check', CATALOGUE)).toContain('no fault');
  expect(await sluice('streams', 'apply', '--catalogue', CATALOGUE, '--yes')).toContain('FLEET: created');
  await using gateway = await startGateway({ natsUrl: nats.url, env: { SLUICE_CATALOGUE: CATALOGUE } });
  onTestFailed(() => console.error(gateway.log().slice(-20).join('\n')));
  const fleet = await startProcess({
    name: 'fleet',
    command: process.execPath,
    args: [`${EXAMPLE}/fleet.js`],
    env,
    isReady: (line) => line.includes('on the road'),
  });
  const open = async (claims: Record<string, string>): Promise<SdkClient> =>
    new SdkClient({ url: gateway.url, token: await secretIssuer().sign(claims) });
  using rider = await open({ sub: 'u-1' });
  using operator = await open({ sub: 'boss', role: 'operator' });

  // The map, one's own rides, and neither another one's nor the control room.
  for (const channel of ['city:berlin', 'rider:u-1', 'rider:u-2', 'fleet']) rider.subscribe(channel);
  const moves = (): unknown[] => rider.recorder.events('city:berlin').map(({ data }) => data);
  await eventually(() => moves().length >= 10, { what: 'scooters on the map' });
  expect(moves()[0]).toMatchObject({
    scooterId: expect.stringMatching(/^s-/),
    position: { latitude: expect.any(Number) },
  });
  await eventually(() => rider.recorder.events('rider:u-1').length > 0, { what: 'a ride of u-1' });
  expect(rider.recorder.events('rider:u-1')[0]).toMatchObject({ type: 'ride.started', data: { scooterId: 's-1' } });
  for (const channel of ['rider:u-2', 'fleet']) {
    await eventually(() => rider.recorder.entries(channel).length > 0, { what: `an answer about ${channel}` });
    expect(rider.recorder.entries(channel)).toContainEqual({ kind: 'ended', code: 'forbidden' });
  }

  await operator.subscribeUntilLive('fleet');
  await eventually(() => new Set(operator.recorder.events('fleet').map(({ type }) => type)).size >= 2, {
    what: 'rides and scooters in the control room',
  });
  expect((await fleet.stop()).code).toBe(0);
});

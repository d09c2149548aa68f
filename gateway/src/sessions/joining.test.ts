// Joining: which channels the gateway subscribes a connection to, when, and under which limits.
import {
  catalogue,
  channel,
  claim,
  family,
  filter,
  moment,
  mustCompileCatalogue,
  param,
  type UpFrame,
} from '@sluice/schemas';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import type { Principal } from '../access/permission.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { tokenOf, type TestPodOptions } from './pod.fixture.ts';
import { auth, createBench, hello, subscribe, type Bench } from './session.fixture.ts';

const notice = family({
  name: 'notice',
  subject: 'notice.{userId}',
  stream: { name: 'NOTICE', maxAgeMs: 1e9 },
  types: { created: moment(Type.Object({})) },
});
const joined = (name: string, parameter: string, claimName: string, roles: readonly string[] | 'any') =>
  channel({
    name: `${name}:{${parameter}}`,
    owner: { [parameter]: claim(claimName) },
    plain: { [parameter]: claim(claimName) },
    joined: roles,
    first: 'none',
    access: [{ roles, filters: [filter(notice, { userId: param(parameter) })] }],
  });
const CATALOGUE = mustCompileCatalogue(
  catalogue({
    families: [notice],
    channels: [joined('user', 'userId', 'sub', 'any'), joined('shop', 'merchantId', 'merchantId', ['merchant'])],
    role: { claim: 'role', fallback: 'customer' },
  }),
);
const CUSTOMER: Principal = { subject: 'u-1', role: 'customer', claims: {} };
const merchantOf = (...merchantId: string[]): Principal => ({
  subject: 'u-1',
  role: 'merchant',
  claims: { merchantId },
});

const benchOf = (options: Partial<TestPodOptions> = {}): Bench =>
  createBench({
    cold: new ModelCold(new Map([['NOTICE', new ModelStream('NOTICE')]])),
    catalogue: CATALOGUE,
    ...options,
  });

/** What is said of channels, in short. */
const said = async (bench: Bench, ...frames: readonly UpFrame[]): Promise<string[]> =>
  (await bench.say(...frames)).flatMap((frame) => {
    if (frame.kind === 'subscribed') return [`${frame.id} ${frame.channel}`];
    if (frame.kind === 'error') return [`${frame.id} ${frame.code} ${frame.channel}`];
    return frame.kind === 'unsubscribed' ? [`${frame.code} ${frame.channel}`] : [];
  });

const joining = (who: Principal): UpFrame => ({ kind: 'hello', version: 1, token: tokenOf(who), isJoining: true });

test('who does not ask for it is joined to nothing', async () => {
  expect(await said(benchOf(), hello(tokenOf(CUSTOMER)))).toEqual([]);
});

test('one channel per role and value of a claim, after what the client asks for, and none twice', async () => {
  expect(await said(benchOf(), joining(CUSTOMER))).toEqual(['0 user:u-1']);
  expect(await said(benchOf(), joining(merchantOf('m-1', 'm-2')), subscribe(5, 'shop:m-2'))).toEqual([
    '5 shop:m-2',
    '0 user:u-1',
    '0 shop:m-1',
  ]);
  // By its plain name, and what was left before the token was verified.
  expect(
    await said(benchOf(), joining(CUSTOMER), subscribe(5, 'user'), { kind: 'unsubscribe', id: 6, channel: 'user' }),
  ).toEqual(['5 user:u-1', 'undefined user:u-1', '0 user:u-1']);
});

test('a fresh token joins what is new, ends what is lost, and leaves what was left', async () => {
  const bench = benchOf();
  await bench.say(joining(merchantOf('m-1')));
  await bench.say({ kind: 'unsubscribe', id: 2, channel: 'user:u-1' });

  expect(await said(bench, auth(3, tokenOf(merchantOf('m-2'))))).toEqual(['forbidden shop:m-1', '0 shop:m-2']);
  expect(await said(bench, auth(4, tokenOf(CUSTOMER)))).toEqual(['forbidden shop:m-2']);
  expect(await said(bench, auth(5, tokenOf(merchantOf('m-2'))))).toEqual(['0 shop:m-2']);
});

test('without joining a fresh token joins nothing either', async () => {
  const bench = benchOf();
  await bench.say(hello(tokenOf(CUSTOMER)));
  expect(await said(bench, auth(3, tokenOf(merchantOf('m-2'))))).toEqual([]);
});

test('the limits of subscriptions and of their rate hold for joining too', async () => {
  const few = benchOf({ limits: { maxSubscriptions: 2 } });
  expect(await said(few, joining(merchantOf('m-1', 'm-2')))).toEqual([
    '0 user:u-1',
    '0 shop:m-1',
    '0 too_many_subscriptions shop:m-2',
  ]);
  const slow = benchOf({ limits: { subscribeBurst: 1, subscribesPerSecond: 1 } });
  expect(await said(slow, joining(merchantOf('m-1')))).toEqual(['0 user:u-1', '0 rate_limited shop:m-1']);
});

test('a joined channel is one like any other: it has its events, and is left by its name', async () => {
  const bench = benchOf();
  await bench.say(joining(CUSTOMER));
  bench.pod.append('NOTICE', 'notice.u-1.created');
  expect((await bench.say()).map(({ kind }) => kind)).toEqual(['event']);
  expect(await said(bench, subscribe(1, 'user'))).toEqual(['1 already_subscribed user']);
  expect(await said(bench, { kind: 'unsubscribe', id: 2, channel: 'user' })).toEqual(['undefined user:u-1']);
  expect(bench.pod.channels.size).toBe(0);
});

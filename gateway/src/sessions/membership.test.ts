// Membership on a connection (I4): what a grant's state does to a subscription, in whatever phase it is. Who decides that
// state is tested beside it (access/grants.test.ts).
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
import { beforeEach, expect, test } from 'vitest';
import type { GrantHold, GrantHolder, Grants } from '../access/grants.ts';
import type { Principal } from '../access/permission.ts';
import { ModelCold, ModelStream } from './log-model.fixture.ts';
import { createTestPod, settle, tokenOf, type FakeConnection, type TestPod } from './pod.fixture.ts';
import { auth, hello, kinds, subscribe } from './session.fixture.ts';

const chat = family({
  name: 'chat',
  subject: 'chat.{chatId}.{userId}',
  stream: { name: 'CHAT', maxAgeMs: 1e9 },
  types: { message: moment(Type.Object({})) },
});
const CATALOGUE = mustCompileCatalogue(
  catalogue({
    families: [chat],
    channels: [
      channel({
        name: 'chat:{chatId}',
        first: 'none',
        access: [
          { roles: ['agent'], filters: [filter(chat, { chatId: param('chatId') })] },
          {
            roles: ['auditor'],
            isGranted: true,
            filters: [filter(chat, { chatId: param('chatId'), userId: claim('sub') })],
          },
          { roles: 'any', isGranted: true, filters: [filter(chat, { chatId: param('chatId') })] },
        ],
      }),
    ],
    role: { claim: 'role', fallback: 'customer' },
  }),
);
const MEMBER: Principal = { subject: 'u-1', role: 'customer', claims: {} };
const AGENT: Principal = { ...MEMBER, role: 'agent' };
const AUDITOR: Principal = { ...MEMBER, role: 'auditor' };
const CHAT = 'chat:c-1';

/** Grants whose state the test decides. */
class ToldGrants implements Grants {
  isAvailable = true;
  readonly holds: { readonly grant: string; readonly holder: GrantHolder; isReleased: boolean }[] = [];

  hold(grant: string, holder: GrantHolder): GrantHold | undefined {
    if (!this.isAvailable) return undefined;
    const hold = { grant, holder, isReleased: false };
    this.holds.push(hold);
    return { grant, release: () => void (hold.isReleased = true) };
  }

  get holder(): GrantHolder {
    const hold = this.holds.at(-1);
    if (!hold || hold.isReleased) throw new Error('nobody holds a grant');
    return hold.holder;
  }
}

let grants: ToldGrants;
let pod: TestPod;
let stream: ModelStream;
let cold: ModelCold;
let connection: FakeConnection;

beforeEach(() => {
  grants = new ToldGrants();
  stream = new ModelStream('CHAT');
  cold = new ModelCold(new Map([['CHAT', stream]]));
  pod = createTestPod({ cold, catalogue: CATALOGUE, grants });
  connection = pod.connect();
});

const say = async (...frames: readonly UpFrame[]): Promise<string[]> => {
  if (frames.length > 0) connection.write(...frames);
  for (let i = 0; i < 3; i++) {
    await settle();
    pod.clock.advance(20);
    pod.turn();
  }
  return kinds(connection.read());
};

const message = (from = 'u-2'): void => void pod.append('CHAT', `chat.c-1.${from}.message`);

test('nothing is answered before the grant is confirmed, and then what came meanwhile follows', async () => {
  expect(await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT))).toEqual(['welcome']);
  expect(grants.holds.map(({ grant }) => grant)).toEqual(['chat.c-1.u-1']);
  message();
  expect(await say()).toEqual([]);

  grants.holder.granted();
  expect(await say()).toEqual(['subscribed', 'live']);
  message();
  expect(await say()).toEqual(['event']);
});

test('a denial answers the request, and is final or not', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT));
  grants.holder.denied('forbidden');
  expect(await say()).toEqual(['error forbidden']);

  await say(subscribe(2, CHAT));
  grants.holder.denied('grants_unavailable');
  expect(await say()).toEqual(['error grants_unavailable']);

  grants.isAvailable = false;
  expect(await say(subscribe(3, CHAT))).toEqual(['error grants_unavailable']);
  expect(pod.channels.size).toBe(0);
  expect(grants.holds.every(({ isReleased }) => isReleased)).toBe(true);
});

test('a revocation while events wait to be flushed: they are not for the one who was revoked', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT));
  grants.holder.granted();
  await say();
  message();
  grants.holder.denied('revoked');

  expect(await say()).toEqual(['unsubscribed revoked']);
});

test('a revocation in the middle of an opening ends it, and what it has asked for is nobody’s', async () => {
  pod.tails.get('CHAT')!.begin('CHAT-1', 100);
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT, { first: 'all' }));
  grants.holder.granted();
  await say();
  expect(cold.asked.length).toBeGreaterThan(0);
  grants.holder.denied('revoked');
  expect(await say()).toEqual(['error revoked']);
  for (const asked of cold.asked.splice(0)) asked.answer();

  expect(await say()).toEqual([]);
  expect(pod.faults).toEqual([]);
});

test('a live subscription that is suspended gets nothing, and then everything, once', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT));
  grants.holder.granted();
  await say();
  message();
  grants.holder.suspended();
  message();
  message();
  expect(await say()).toEqual([]);
  expect(grants.holds).toHaveLength(1);

  grants.holder.granted();
  expect(await say()).toEqual(['event', 'event', 'event']);
  message();
  expect(await say()).toEqual(['event']);
});

test('a stream that is another one while the subscription is suspended is told after it', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT), subscribe(2, 'chat:c-2'));
  const [first, second] = grants.holds;
  first!.holder.granted();
  await say();
  first!.holder.suspended();
  pod.sinkOf('CHAT').begin({ stream: 'CHAT', epoch: 'CHAT-2', created: '' }, 1, 'new_stream');
  expect(await say()).toEqual([]);

  first!.holder.granted();
  expect(await say()).toEqual(['reset', 'live']);
  // It had nothing to be reset: it only begins.
  second!.holder.granted();
  expect(await say()).toEqual(['subscribed', 'live']);
});

test('unsubscribing and disconnecting give the grant up', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT), subscribe(2, 'chat:c-2'));
  await say({ kind: 'unsubscribe', id: 3, channel: CHAT });
  expect(grants.holds.map(({ isReleased }) => isReleased)).toEqual([true, false]);
  connection.break();
  expect(grants.holds.map(({ isReleased }) => isReleased)).toEqual([true, true]);
});

test('a token that needs no grant lets one go on that waits for it, and gives the grant up', async () => {
  await say(hello(tokenOf(MEMBER)), subscribe(1, CHAT));
  expect(await say(auth(2, tokenOf(AGENT)))).toEqual(['ok', 'subscribed', 'live']);
  expect(grants.holds[0]!.isReleased).toBe(true);
});

test('a token that needs a grant under the same filters: nothing is handed out until it is confirmed', async () => {
  await say(hello(tokenOf(AGENT)), subscribe(1, CHAT));
  expect(await say(auth(2, tokenOf(MEMBER)))).toEqual(['ok']);
  message();
  expect(await say()).toEqual([]);
  grants.holder.granted();
  expect(await say()).toEqual(['event']);
});

test('a token that needs a grant and has other filters: not even the reset comes before it is confirmed', async () => {
  await say(hello(tokenOf(AGENT)), subscribe(1, CHAT));
  expect(await say(auth(2, tokenOf(AUDITOR)))).toEqual(['ok']);
  message('u-2');
  message('u-1');
  grants.holder.granted();
  expect(await say()).toEqual(['reset', 'live']);
  message('u-2');
  message('u-1');
  expect(await say()).toEqual(['event']);

  // And back: the grant is not asked for again while it stays one.
  expect(await say(auth(3, tokenOf(MEMBER)))).toEqual(['ok', 'reset', 'live']);
  expect(grants.holds).toHaveLength(1);
});

test('a token that needs a grant where nobody can tell ends the channel for now', async () => {
  await say(hello(tokenOf(AGENT)), subscribe(1, CHAT));
  grants.isAvailable = false;
  expect(await say(auth(2, tokenOf(MEMBER)))).toEqual(['ok', 'unsubscribed grants_unavailable']);
});

test('a connection that breaks while its channels are resolved again takes no further grant', async () => {
  await say(hello(tokenOf(AGENT)), subscribe(1, CHAT), subscribe(2, 'chat:c-2'));
  grants.isAvailable = false;
  connection.send = () => {
    grants.isAvailable = true;
    connection.break();
    return true;
  };
  await say(auth(3, tokenOf(MEMBER)));

  expect(grants.holds).toEqual([]);
  expect(pod.channels.size).toBe(0);
});

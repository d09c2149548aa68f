// Every family of the reference domain through a real nats-server, gateway and SDK client: the happy way, the permission
// that must fail, the resume after absence, and `nats pub` from the command line. The rows are in kit/families;
// docs/DOMAIN-TESTS.md lists them.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { resolveNatsCli } from '@sluice/deploy';
import { applyStreams } from '@sluice/producers';
import { mustCompileCatalogue, rez } from '@sluice/schemas';
import { test as base, describe, expect } from 'vitest';
import { eventually } from '../../kit/eventually.ts';
import { type FamilyEvent, type FamilyRow, familyTitles, typeOfEvent } from '../../kit/families/row.ts';
import { FAMILY_ROWS } from '../../kit/families/rows.ts';
import { showOnFailure } from '../../kit/fixtures.ts';
import { type Gateway, startGateway } from '../../kit/gateway.ts';
import { type NatsServer, startNatsServer } from '../../kit/nats-server.ts';
import { type StoredEvent, publishEvent } from '../../kit/order-events.ts';
import { SdkClient } from '../../kit/sdk-client.ts';
import { type Claims, secretIssuer } from '../../kit/token.ts';

interface FileFixtures {
  nats: NatsServer;
  connection: NatsConnection;
  /** The streams exist. */
  js: JetStreamClient;
  gateway: Gateway;
  /** Path of the nats CLI. */
  cli: string;
}

interface TestFixtures {
  open: (claims: Claims) => Promise<SdkClient>;
}

const test = base.extend<{ $file: FileFixtures; $test: TestFixtures }>({
  nats: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from its parameter
    async ({}, use) => {
      await using nats = await startNatsServer();
      await use(nats);
    },
    { scope: 'file' },
  ],
  connection: [
    async ({ nats }, use) => {
      await using connection = await nats.connect();
      await use(connection);
    },
    { scope: 'file' },
  ],
  js: [
    async ({ connection }, use) => {
      await applyStreams(await jetstreamManager(connection), mustCompileCatalogue(rez));
      await use(jetstream(connection));
    },
    { scope: 'file' },
  ],
  // `js` is named so that the streams exist before the gateway looks for them.
  gateway: [
    async ({ nats, js }, use) => {
      void js;
      await using gateway = await startGateway({ natsUrl: nats.url, env: { SLUICE_CATALOGUE: 'rez' } });
      await use(gateway);
    },
    { scope: 'file' },
  ],
  cli: [
    // oxlint-disable-next-line no-empty-pattern -- as above
    async ({}, use) => {
      await use((await resolveNatsCli()).path);
    },
    { scope: 'file' },
  ],
  open: async ({ gateway, task }, use) => {
    const opened: SdkClient[] = [];
    await use(async (claims) => {
      const client = new SdkClient({
        url: gateway.url,
        name: String(claims.sub),
        token: await secretIssuer().sign(claims),
        // Each channel is asked for, as the permission is what counts here; joining has tests of its own.
        more: { join: false },
      });
      opened.push(client);
      await client.client.connected();
      return client;
    });
    for (const client of opened) client[Symbol.dispose]();
    showOnFailure(task, 'gateway', gateway.log());
  },
});

const publishAll = async (js: JetStreamClient, events: readonly FamilyEvent[]): Promise<StoredEvent[]> => {
  const stored: StoredEvent[] = [];
  for (const { subject, payload } of events) stored.push(await publishEvent(js, subject, payload));
  return stored;
};

const grantAll = async (js: JetStreamClient, { grants = [] }: FamilyRow): Promise<void> => {
  for (const grant of grants) await js.publish(`$KV.grants.${grant}`, '{}');
};

const watch = async (client: SdkClient, { channels }: FamilyRow): Promise<void> => {
  for (const channel of channels) await client.subscribeUntilLive(channel, { first: 'none' });
};

/** The channels of the row on which the event has arrived. */
const channelsWith = (client: SdkClient, { channels }: FamilyRow, stored: StoredEvent): string[] =>
  channels.filter((channel) => client.recorder.has(channel, stored));

const expectAll = async (client: SdkClient, row: FamilyRow, events: readonly StoredEvent[]): Promise<void> => {
  await eventually(() => events.every((each) => channelsWith(client, row, each).length > 0), {
    what: `${row.who} to see ${events.map(({ subject }) => subject).join(', ')}`,
  });
  for (const stored of events) {
    const [channel = ''] = channelsWith(client, row, stored);
    const seen = client.recorder.events(channel).filter(({ sequence }) => sequence === stored.sequence);
    expect(seen.map(({ data }) => data)).toContainEqual(stored.data);
  }
};

describe.for(FAMILY_ROWS.map((row) => [row.family, row] as const))('%s', ([, row]) => {
  const titles = familyTitles(row);

  test(titles.happy, async ({ js, open }) => {
    await grantAll(js, row);
    const client = await open(row.claims);
    await watch(client, row);

    const hidden = await publishAll(js, row.hidden ?? []);
    const stored = await publishAll(js, row.events);

    await expectAll(client, row, stored);
    // Each of the channels carries something of the family.
    await eventually(() => row.channels.every((channel) => stored.some((each) => client.recorder.has(channel, each))));
    expect(hidden.flatMap((each) => channelsWith(client, row, each))).toEqual([]);
    expect(client.errors).toEqual([]);
  });

  const { passing } = row;
  if (passing)
    test(titles.passing, async ({ connection, js, open }) => {
      await grantAll(js, row);
      const client = await open(row.claims);
      const seen: unknown[] = [];
      await watch(client, row);
      for (const channel of row.channels) {
        client.client.subscription(channel)?.on('event', ({ type, data, isEphemeral, sequence }) => {
          if (isEphemeral) seen.push({ type, data, sequence });
        });
      }
      for (const event of passing) {
        const wanted = { type: typeOfEvent(event), data: event.payload, sequence: undefined };
        await eventually(() => {
          // Nobody keeps it: what is published before the gateway listens is gone.
          connection.publish(event.subject, JSON.stringify(event.payload));
          return seen.length > 0;
        });
        expect(seen[0]).toEqual(wanted);
      }
      expect(row.channels.map((channel) => client.recorder.count(channel))).toEqual(row.channels.map(() => 0));
    });

  test(titles.refused, async ({ js, open }) => {
    const { refused } = row;
    await grantAll(js, row);
    const client = await open(row.claims);
    await watch(client, row);
    const other = await open(refused.claims);
    if (refused.outcome === 'nothing') await other.subscribeUntilLive(refused.channel, { first: 'none' });
    else {
      other.subscribe(refused.channel);
      await eventually(() => other.recorder.entries(refused.channel).at(-1)?.kind === 'ended');
      expect(other.recorder.entries(refused.channel)).toContainEqual({ kind: 'ended', code: 'forbidden' });
    }

    await expectAll(client, row, await publishAll(js, row.events));
    const control = await publishAll(js, refused.control ? [refused.control] : []);

    // What was on its way to them would have come before the control.
    await eventually(() => control.every((each) => other.recorder.has(refused.channel, each)), { what: 'the control' });
    expect(other.recorder.count(refused.channel)).toBe(control.length);
  });

  test(titles.resumed, async ({ js, open }) => {
    await grantAll(js, row);
    const client = await open(row.claims);
    await watch(client, row);
    const first = await publishAll(js, row.events);
    await expectAll(client, row, first);

    client.client.close();
    const missed = await publishAll(js, row.events);
    client.client.connect();

    await expectAll(client, row, missed);
    for (const channel of row.channels) {
      await client.live(channel);
      const seen = client.recorder.events(channel).map(({ epoch, sequence }) => `${epoch} ${sequence}`);
      expect(new Set(seen).size).toBe(seen.length);
      expect(client.recorder.resets(channel)).toEqual([]);
    }
  });

  test(titles.published, async ({ nats, js, cli, open }) => {
    await grantAll(js, row);
    const client = await open(row.claims);
    await watch(client, row);
    const { subject, payload } = row.events[0]!;
    const marked = { ...payload, mark: `from the command line, ${row.family}` };

    const args = ['--server', nats.url, 'pub', '-J', subject, JSON.stringify(marked)];
    await promisify(execFile)(cli, args, { timeout: 20_000 });

    const seen = (): unknown[] =>
      row.channels.flatMap((channel) => client.recorder.events(channel).map(({ data }) => data));
    await eventually(() => seen().some((data) => (data as { mark?: string }).mark === marked.mark));
    expect(seen()).toContainEqual(marked);
  });
});

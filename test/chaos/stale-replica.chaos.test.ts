// A replica of the stream lags and answers the pod's direct gets all the same, with clean ends: what it leaves out must
// not be left out for clients. The pod's own server holds no replica, so that its reads go to any of the three.
import { jetstreamManager } from '@nats-io/jetstream';
import { expect } from 'vitest';
import { readAcknowledged } from '../kit/audience.ts';
import { merchantFilters } from '../kit/channel-filters.ts';
import { assertComplete } from '../kit/checker.ts';
import { test as base } from '../kit/cluster-fixtures.ts';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import type { NatsServer } from '../kit/nats-server.ts';
import { ORDER_STREAM, type StoredEvent, publishOrderEvents } from '../kit/order-events.ts';
import { merchantToken } from '../kit/token.ts';

const test = base.override({ clusterSize: 4 });

/** Each reads its own filter, so that no two share a read: a lagging replica answers some of them. */
const MERCHANTS = Array.from({ length: 24 }, (_, index) => `m-${index + 1}`);
const EVENTS_EACH = 10;

test('clients that resume while a replica lags get everything', async ({ cluster, connection, startPod }) => {
  const info = await (await jetstreamManager(connection)).streams.info(ORDER_STREAM);
  const holders = [info.cluster!.leader!, ...info.cluster!.replicas!.map(({ name }) => name)];
  const home = cluster.servers.find(({ name }) => !holders.includes(name))!;
  const [leader, lagging, third] = holders.map((name) => cluster.server(name)) as [NatsServer, NatsServer, NatsServer];
  await using publisher = await home.connect();
  const publish = async (): Promise<StoredEvent> => {
    const stored: StoredEvent[] = [];
    for (const merchantId of MERCHANTS)
      stored.push(...(await publishOrderEvents(publisher, EVENTS_EACH, { merchantId })));
    return stored.at(-1)!;
  };
  // Until the word of the stream's subjects has reached this server there is nobody to take events.
  await eventually(() => publishOrderEvents(publisher, 1, { merchantId: 'm-0' }));
  const lastSeen = await publish();
  const early = await startPod({ natsUrl: home.url });
  const pasts = await Promise.all(
    MERCHANTS.map(async (merchantId) => {
      using client = await FrameClient.open({ url: early.url, token: await merchantToken(merchantId) });
      await client.subscribeUntilLive(`merchant:${merchantId}`);
      return { merchantId, position: client.positionOf(`merchant:${merchantId}`)! };
    }),
  );
  await early.kill();

  // A replica takes part in direct gets once it has caught up for the first time.
  await eventually(() => directGetsAt(lagging), { timeoutMs: 30_000, what: 'a replica that takes part' });
  for (const replica of [leader, third]) cluster.cutRoutes(replica, lagging);
  const last = await publish();
  const pod = await startPod({ natsUrl: home.url, env: { SLUICE_TAIL_SECONDS: '0' } });

  expect(await holds(lagging, last.sequence)).toBe(false);
  const answeredBefore = (await directGetsAt(lagging))!.msgs;

  const returned = await Promise.all(
    pasts.map(async ({ merchantId, position }) => {
      const channel = `merchant:${merchantId}`;
      const client = await FrameClient.open({ url: pod.url, token: await merchantToken(merchantId) });
      client.subscribe(channel, { position });
      return { merchantId, channel, client };
    }),
  );

  // While it lags the pod may serve them or let them wait, but must not call them live with something left out.
  const areLive = (): boolean => returned.every(({ client, channel }) => client.recorder.isLive(channel));
  await eventually(areLive, { timeoutMs: 3_000 }).catch(() => false);
  const answered = (await directGetsAt(lagging))!.msgs;
  await cluster.heal();
  await eventually(areLive, { timeoutMs: 60_000, what: 'everybody live' });
  const truths = await eventually(() => readAcknowledged(connection, [last]), { timeoutMs: 60_000, intervalMs: 500 });
  const after = { [ORDER_STREAM]: lastSeen.sequence };
  for (const { client, channel, merchantId } of returned) {
    using _ = client;
    assertComplete(client.recorder, channel, truths, { filters: merchantFilters(merchantId), after });
    expect(client.recorder.resets(channel)).toEqual([]);
    expect(client.recorder.count(channel)).toBe(EVENTS_EACH);
  }
  expect(answered).toBeGreaterThan(answeredBefore);
});

interface ServerSubscription {
  subject: string;
  /** Delivered to it. */
  msgs: number;
}

/** The server's own part in answering direct gets, if it has any. */
const directGetsAt = async (server: NatsServer): Promise<ServerSubscription | undefined> => {
  const page = (await server.monitor('subsz?subs=1&limit=10000&acc=$G')) as {
    subscriptions_list?: ServerSubscription[];
  };
  return page.subscriptions_list?.find(({ subject }) => subject === `$JS.API.DIRECT.GET.${ORDER_STREAM}`);
};

/** Whether the server's own replica has the sequence. */
const holds = async (server: NatsServer, sequence: number): Promise<boolean> => {
  await using connection = await server.connect();
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return (await manager.direct.getMessage(ORDER_STREAM, { seq: sequence })) !== null;
};

// What does it cost to remember commands for 26 hours, and to take them? Memory of a nats-server that holds them, also
// after a restart, when nothing but the index is in it; then commands through a gateway, with many users at once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { launchNatsServer, resolveNatsServerBinary } from '@sluice/deploy';
import { toCommandStreamConfig } from '@sluice/producers';
import { commandSubject } from '@sluice/schemas';
import { FrameClient } from '../kit/frame-client.ts';
import { createNoteStreams, NOTES_ENV, sendCommand } from '../kit/notes.ts';
import type { Benchmark, Stage } from './benchmark.ts';
import { nowMs, until, wait } from './clock.ts';
import { median } from './median.ts';
import { residentBytesOf, startCpuClock } from './process-stats.ts';
import { createSharedSecretIssuer } from './tokens.ts';

const AT_ONCE = 500;
const MILLION = 1_000_000;
const MB = 1_000_000;
const USERS = 50;

/** As the gateway stores them: 36 characters of id, some 200 bytes. */
const storeMany = async (connection: NatsConnection, count: number): Promise<number> => {
  const js = jetstream(connection);
  const startedMs = nowMs();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const sub = `user-${i % 20_000}`;
      const commandId = crypto.randomUUID();
      const envelope = {
        commandId,
        command: 'chat.send_message',
        actor: { sub, role: 'customer', name: 'Somebody Else' },
        data: { chatId: `chat-${i % 5_000}`, message: 'See you at the corner in five minutes.' },
        receivedAt: new Date().toISOString(),
      };
      await js.publish(commandSubject('chat.send_message', sub, commandId), JSON.stringify(envelope));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return (nowMs() - startedMs) / 1_000;
};

/** The least of some readings: what a collector has not taken back yet is not what is needed. */
const settledBytes = async (pid: number): Promise<number> => {
  const readings: number[] = [];
  for (let i = 0; i < 20; i++) {
    readings.push(residentBytesOf(pid));
    await wait(500);
  }
  return Math.min(...readings);
};

const measureMemory = async (stage: Stage) => {
  const count = stage.size(500_000, 20_000);
  const { path } = await resolveNatsServerBinary();
  const storeDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  let server = await launchNatsServer({ binary: path, storeDir, detached: true });
  try {
    const connection = await connect({ servers: server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add(toCommandStreamConfig());
    const emptyBytes = await settledBytes(server.pid);
    const seconds = await storeMany(connection, count);
    stage.log(`${count} commands stored in ${seconds.toFixed(1)} s`);
    const { state } = await manager.streams.info('CMD');
    if (state.messages !== count) throw new Error(`${state.messages} of ${count} commands are stored`);
    const heldBytes = (await settledBytes(server.pid)) - emptyBytes;
    await connection.close();
    await server.stop();

    const startedMs = nowMs();
    server = await launchNatsServer({ binary: path, storeDir, detached: true });
    const again = await connect({ servers: server.url });
    await until('the stream is back', 60_000, async () => {
      const info = await (await jetstreamManager(again)).streams.info('CMD');
      return info.state.messages === count;
    });
    const restartSeconds = (nowMs() - startedMs) / 1_000;
    await again.close();
    const restartedBytes = (await settledBytes(server.pid)) - emptyBytes;
    const perMillion = (bytes: number): number => ((bytes / count) * MILLION) / MB;
    return [
      { name: 'megabytesPerMillion', what: 'MB of nats-server per million commands', value: perMillion(heldBytes) },
      {
        name: 'megabytesPerMillionAfterRestart',
        what: 'the same, after it was restarted',
        value: perMillion(restartedBytes),
      },
      { name: 'diskBytesPerCommand', what: 'bytes on disk per command', value: state.bytes / count },
      {
        name: 'restartSeconds',
        what: `seconds until a restarted server serves ${count} of them`,
        value: restartSeconds,
      },
    ];
  } finally {
    await server.stop();
    await rm(storeDir, { recursive: true, force: true });
  }
};

const measureGateway = async (stage: Stage) => {
  const perUser = stage.size(400, 20);
  const issuer = createSharedSecretIssuer();
  const nats = await stage.nats();
  const connection = await connect({ servers: nats.url });
  await createNoteStreams(connection);
  await connection.close();
  const gateway = await stage.gateway(nats, {
    ...issuer.settings,
    ...NOTES_ENV,
    SLUICE_REQUESTS_PER_SECOND: '100000',
    SLUICE_REQUESTS_PER_SECOND_PER_USER: '100000',
  });
  const url = `ws://${gateway.host}:${gateway.port}/v1/ws`;
  const clients = await Promise.all(
    Array.from({ length: USERS }, async (_, i) =>
      FrameClient.open({ url, token: await issuer.sign(`u-${i}`, 'customer'), encoding: 'msgpack' }),
    ),
  );
  const cpuSeconds = startCpuClock(gateway.pid);
  const startedMs = nowMs();
  const latencies: number[] = [];
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < perUser; i++) {
        const sentMs = nowMs();
        const answer = await sendCommand(client, { commandId: `c-${i}` });
        if (answer.kind !== 'ok') throw new Error(answer.code);
        latencies.push(nowMs() - sentMs);
      }
    }),
  );
  const seconds = (nowMs() - startedMs) / 1_000;
  const total = USERS * perUser;
  const used = cpuSeconds();
  for (const client of clients) client[Symbol.dispose]();
  return [
    { name: 'perCoreSecond', what: 'commands per core-second of the gateway', value: total / used },
    { name: 'perSecond', what: `commands per second, ${USERS} users with one at a time each`, value: total / seconds },
    { name: 'ackP50Ms', what: 'ms to the acknowledgement, median', value: median(latencies) },
    {
      name: 'ackP99Ms',
      what: 'ms to the acknowledgement, p99',
      value: latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)]!,
    },
  ];
};

export const commands: Benchmark = {
  name: 'commands',
  question: 'remembering 500,000 commands, and taking them through a gateway',
  run: async (stage) => [...(await measureMemory(stage)), ...(await measureGateway(stage))],
};

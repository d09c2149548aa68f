// The metrics of a pod, by name. Parts count in plain numbers, which cost the hot path an addition; they are read here
// when a scrape asks. Knows no part, only the readings.
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

type Counts = Readonly<Partial<Record<string, number>>>;

export interface StreamReadings {
  readonly stream: string;
  readonly eventsRead: number;
  readonly lastHeardMs: number;
  readonly leaderSequence: number;
  readonly recreations: number;
  readonly generations: number;
  readonly moves: number;
  readonly doubts: Counts;
  readonly head: number;
  readonly tailFirstSequence: number;
  readonly tailEvents: number;
  readonly tailBytes: number;
  /** Store time of the newest event; 0 if there is none. */
  readonly headTimeMs: number;
}

export interface PresenceReadings {
  /** Transitions that this pod has published. */
  readonly told: Counts;
  /** Pods that live, as listed last. */
  readonly pods: number;
  /** Users whose presence is being written, or is to be taken back for a dead pod. */
  readonly pending: number;
}

export interface GrantReadings {
  /** Grants on which somebody's subscription rests. */
  readonly inUse: number;
  /** Subscriptions that get nothing until their grant is confirmed. */
  readonly suspended: number;
  /** Whether memberships can be read now. */
  readonly isCurrent: boolean;
}

/** What a pod can be asked at any moment. Totals count from the start of the process. */
export interface Readings {
  readonly nowMs: number;
  readonly isReady: boolean;
  /** Open now, by encoding. */
  readonly connections: Counts;
  readonly connectionsTotal: number;
  readonly users: number;
  readonly subscriptions: number;
  /** Subscriptions that are not live: catching up, or fallen behind. */
  readonly subscriptionsBehind: number;
  /** Channels with a subscriber. */
  readonly channels: number;
  readonly delivered: number;
  readonly sentMessages: number;
  readonly sentBytes: number;
  readonly flushes: number;
  readonly fromTail: number;
  readonly fromCold: number;
  readonly recovered: number;
  readonly fellBehind: number;
  readonly coldReads: number;
  readonly resets: Counts;
  readonly errors: Counts;
  readonly closes: Counts;
  readonly commands: Counts;
  readonly calls: Counts;
  readonly requestsInFlight: number;
  readonly refusals: Counts;
  /** Events left out because a newer one of their subject says the same; see Conflation. */
  readonly conflated: number;
  /** Events that were wanted after they had expired. */
  readonly expired: number;
  /** What became of ephemeral events: received, over_limit, too_large, refused; sent and slow count receivers. */
  readonly ephemeral: Counts;
  readonly auth: Counts;
  /** Absent where no channel takes a grant. */
  readonly grants?: GrantReadings;
  /** Absent where the catalogue has no presence. */
  readonly presence?: PresenceReadings;
  readonly streams: readonly StreamReadings[];
}

export interface Metrics {
  readonly contentType: string;
  /** Prometheus' text format. */
  readonly text: () => Promise<string>;
  /** Stops measuring the event loop. */
  readonly close: () => void;
}

type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>];

interface Definition {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (readings: Readings) => readonly Sample[];
}

const single = (
  kind: Definition['kind'],
  name: string,
  help: string,
  read: (from: Readings) => number,
): Definition => ({
  kind,
  name,
  help,
  labels: [],
  read: (from) => [[read(from)]],
});

const counted = (
  kind: Definition['kind'],
  name: string,
  label: string,
  help: string,
  read: (from: Readings) => Counts,
): Definition => ({
  kind,
  name,
  help,
  labels: [label],
  read: (from) => Object.entries(read(from)).map(([key, value]): Sample => [value ?? 0, { [label]: key }]),
});

const perStream = (
  kind: Definition['kind'],
  name: string,
  help: string,
  read: (stream: StreamReadings, from: Readings) => number,
): Definition => ({
  kind,
  name,
  help,
  labels: ['stream'],
  read: (from) => from.streams.map((stream): Sample => [read(stream, from), { stream: stream.stream }]),
});

/** Every metric of the gateway; those of the process and of Node (event loop lag, heap, CPU) come beside them. */
export const METRICS: readonly Definition[] = [
  single('gauge', 'sluice_ready', '1 if the pod is ready.', (from) => (from.isReady ? 1 : 0)),
  counted('gauge', 'sluice_connections', 'encoding', 'Open connections.', (from) => from.connections),
  single('counter', 'sluice_connections_total', 'Connections opened.', (from) => from.connectionsTotal),
  single('gauge', 'sluice_users', 'Users with a connection.', (from) => from.users),
  counted(
    'counter',
    'sluice_presence_told_total',
    'state',
    'Times that this pod has told that a user came or went.',
    (from) => from.presence?.told ?? {},
  ),
  single('gauge', 'sluice_presence_pods', 'Pods that live.', (from) => from.presence?.pods ?? 0),
  single(
    'gauge',
    'sluice_presence_pending',
    'Users whose presence is being written.',
    (from) => from.presence?.pending ?? 0,
  ),
  single('gauge', 'sluice_grants', 'Grants on which subscriptions rest.', (from) => from.grants?.inUse ?? 0),
  single(
    'gauge',
    'sluice_grants_suspended',
    'Subscriptions that wait until their grant is confirmed.',
    (from) => from.grants?.suspended ?? 0,
  ),
  single('gauge', 'sluice_grants_current', '1 while memberships can be read.', (from) =>
    from.grants?.isCurrent === false ? 0 : 1,
  ),
  single('gauge', 'sluice_subscriptions', 'Open subscriptions.', (from) => from.subscriptions),
  single(
    'gauge',
    'sluice_subscriptions_behind',
    'Subscriptions that are catching up or have fallen behind.',
    (from) => from.subscriptionsBehind,
  ),
  single('gauge', 'sluice_channels', 'Channels with a subscriber.', (from) => from.channels),
  single('counter', 'sluice_events_delivered_total', 'Events sent, once per subscription.', (from) => from.delivered),
  single('counter', 'sluice_messages_sent_total', 'Messages handed to sockets.', (from) => from.sentMessages),
  single('counter', 'sluice_sent_bytes_total', 'Bytes handed to sockets.', (from) => from.sentBytes),
  single('counter', 'sluice_flushes_total', 'Batches of a channel that were encoded.', (from) => from.flushes),
  {
    kind: 'counter',
    name: 'sluice_catch_up_events_total',
    help: 'Events sent behind the head, by where they were read.',
    labels: ['source'],
    read: (from) => [
      [from.fromTail, { source: 'tail' }],
      [from.fromCold, { source: 'cold' }],
    ],
  },
  single(
    'counter',
    'sluice_recovered_total',
    'Subscriptions that went on from their position.',
    (from) => from.recovered,
  ),
  single(
    'counter',
    'sluice_fell_behind_total',
    'Times that a socket over its budget stopped being live.',
    (from) => from.fellBehind,
  ),
  single('counter', 'sluice_cold_reads_total', 'Reads of events older than the tail.', (from) => from.coldReads),
  counted('counter', 'sluice_resets_total', 'reason', 'Resets sent.', (from) => from.resets),
  counted('counter', 'sluice_errors_total', 'code', 'Error frames sent.', (from) => from.errors),
  counted('counter', 'sluice_closes_total', 'reason', 'Connections closed by the gateway.', (from) => from.closes),
  counted(
    'counter',
    'sluice_commands_total',
    'outcome',
    'Commands, by outcome: stored, duplicate, effect, or the error code.',
    (from) => from.commands,
  ),
  counted(
    'counter',
    'sluice_calls_total',
    'outcome',
    'Calls, by outcome: answered, or the error code.',
    (from) => from.calls,
  ),
  single('gauge', 'sluice_requests_in_flight', 'Commands and calls under way.', (from) => from.requestsInFlight),
  counted(
    'counter',
    'sluice_payloads_refused_total',
    'reason',
    'Payloads that failed the gate.',
    (from) => from.refusals,
  ),
  single(
    'counter',
    'sluice_events_conflated_total',
    'Events of conflated types that a newer one stood for, once per channel or page.',
    (from) => from.conflated,
  ),
  single(
    'counter',
    'sluice_events_expired_total',
    'Events that were not delivered because they had expired.',
    (from) => from.expired,
  ),
  counted(
    'counter',
    'sluice_ephemeral_total',
    'outcome',
    'Ephemeral events by what became of them; sent and slow count receivers.',
    (from) => from.ephemeral,
  ),
  counted('counter', 'sluice_auth_total', 'outcome', 'Tokens verified.', (from) => from.auth),
  perStream('counter', 'sluice_events_read_total', 'Events read from the stream.', (stream) => stream.eventsRead),
  perStream(
    'gauge',
    'sluice_reader_silence_seconds',
    'Since the reader was last heard from.',
    (stream, { nowMs }) => Math.max(0, nowMs - stream.lastHeardMs) / 1_000,
  ),
  perStream(
    'gauge',
    'sluice_reader_lag_events',
    'Sequences between the reader and the last one of the stream.',
    (stream) => Math.max(0, stream.leaderSequence - stream.head),
  ),
  perStream(
    'counter',
    'sluice_reader_recreations_total',
    'Consumers created after the first.',
    (stream) => stream.recreations,
  ),
  perStream(
    'counter',
    'sluice_reader_generations_total',
    'Times that the stream turned out to be another one.',
    (stream) => stream.generations,
  ),
  perStream('counter', 'sluice_reader_moves_total', 'Moves to another server.', (stream) => stream.moves),
  {
    kind: 'counter',
    name: 'sluice_reader_doubts_total',
    help: 'Reasons to recreate the consumer.',
    labels: ['stream', 'cause'],
    read: (from) =>
      from.streams.flatMap(({ stream, doubts }) =>
        Object.entries(doubts).map(([cause, value]): Sample => [value ?? 0, { stream, cause }]),
      ),
  },
  perStream('gauge', 'sluice_tail_events', 'Events in memory.', (stream) => stream.tailEvents),
  perStream('gauge', 'sluice_tail_bytes', 'Bytes of the tail.', (stream) => stream.tailBytes),
  perStream('gauge', 'sluice_tail_first_sequence', 'Where the tail begins.', (stream) => stream.tailFirstSequence),
  perStream('gauge', 'sluice_tail_head_sequence', 'Where the tail ends.', (stream) => stream.head),
  perStream(
    'gauge',
    'sluice_tail_head_time_seconds',
    'Store time of the newest event.',
    (stream) => stream.headTimeMs / 1_000,
  ),
];

export const createMetrics = (read: () => Readings): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // One reading per scrape, so that its figures fit each other.
  let readings: Readings | undefined;
  for (const definition of METRICS) {
    const { name, help, labels } = definition;
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    const samples = (): readonly Sample[] => (readings ? definition.read(readings) : []);
    if (definition.kind === 'gauge') {
      const gauge: Gauge = new Gauge({
        ...common,
        collect: () => {
          gauge.reset();
          for (const [value, of = {}] of samples()) gauge.set(of, value);
        },
      });
    } else {
      const counter: Counter = new Counter({
        ...common,
        collect: () => {
          counter.reset();
          for (const [value, of = {}] of samples()) counter.inc(of, value);
        },
      });
    }
  }
  return {
    contentType: registry.contentType,
    text: () => {
      readings = read();
      return registry.metrics();
    },
    close: () => {
      registry.clear();
    },
  };
};

// The gateway's log: one JSON line per entry (or lines for people), without tokens and secrets whatever is passed in.
import { pino, type DestinationStream, type Level, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { TokenBucket } from '../access/limits.ts';
import type { LogLevel } from '../config/requests.ts';
import type { Clock } from './clock.ts';

export type { Logger } from 'pino';

const SECRET_FIELDS = [
  'token',
  'authorization',
  'password',
  'secret',
  'creds',
  'tokenSecret',
  'natsPassword',
  'natsToken',
];
/** Compact JWTs begin with `{"` in base64url. The signature is what makes one usable: it goes, and the claims with it. */
const TOKEN = /eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const CENSORED = '(hidden)';

export interface LogOptions {
  readonly level: LogLevel;
  readonly isPretty: boolean;
  /** Standard output if absent. */
  readonly destination?: DestinationStream;
}

export const createLog = ({ level, isPretty, destination }: LogOptions): Logger => {
  const output = destination ?? pino.destination({ fd: 1, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: CENSORED },
      // Fields cannot know every place where a token may hide (a URL, an error's text): the line itself is searched.
      hooks: { streamWrite: (line) => line.replaceAll(TOKEN, CENSORED) },
    },
    isPretty ? toPretty(output) : output,
  );
};

const toPretty = (output: DestinationStream): DestinationStream => {
  const format = prettyFactory({ colorize: process.stdout.isTTY, translateTime: 'SYS:HH:MM:ss.l' });
  return { write: (line) => output.write(format(line)) };
};

/** Writes a log entry, or counts it; returns whether it was written. */
export type ThrottledLog = (fields: Readonly<Record<string, unknown>>, message: string) => boolean;

/** For what a peer can cause at will (refused payloads, bad frames): some entries a second, the rest as a number. */
export const throttleLog = (
  log: Pick<Logger, Level>,
  level: Level,
  limit: { readonly perSecond: number; readonly burst: number },
  clock: Pick<Clock, 'now'>,
): ThrottledLog => {
  const bucket = new TokenBucket(limit, clock.now());
  let suppressed = 0;
  return (fields, message) => {
    if (!bucket.take(clock.now())) {
      suppressed++;
      return false;
    }
    log[level](suppressed > 0 ? { ...fields, suppressed } : fields, message);
    suppressed = 0;
    return true;
  };
};

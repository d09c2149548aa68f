// What may be said to `sluice tail`. Pure, apart from asking which stack runs here.

import { parseArgs } from 'node:util';
import type { SubscribeOptions } from '@sluice/client';
import { parsePosition } from '@sluice/schemas';
import { DeployError } from '../errors.ts';

export interface TailOptions {
  readonly channel: string;
  readonly subscribe: SubscribeOptions;
  /** Drop the connection this long after the start, and stay away for `awayMs`. */
  readonly cutAfterMs?: number;
  readonly awayMs: number;
  readonly isJson: boolean;
  /** End after so many events. */
  readonly count: number;
  readonly url?: string;
  readonly token?: string;
}

const HELP = `Usage: npx sluice tail <channel> [options]

  npx sluice tail 'order:o-17'            what is, then what happens
  npx sluice tail 'order:o-17' --cut 5s   drops its connection after 5 s, comes back, shows what it missed

  --since <time>      start that long ago: 500ms, 30s, 10m, 2h, 7d
  --last <n>          start with the last n events
  --first <what>      states (the newest of each kind), all or none
  --from <position>   go on from a position, as a viewer prints it at its end
  --cut <time>        drop the connection that long after the start
  --away <time>       how long to stay away then (3s)
  --count <n>         end after n events
  --json              an object per line
  --url <address>     of the gateway; default: the one that npm start runs here
  --token <token>     default: one that may see the channel, for the stack that npm start runs here`;

/** Throws `bad_arguments`. */
export function parseTailOptions(args: readonly string[]): TailOptions | { readonly help: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        since: { type: 'string' },
        last: { type: 'string' },
        first: { type: 'string' },
        from: { type: 'string' },
        cut: { type: 'string' },
        away: { type: 'string' },
        count: { type: 'string' },
        json: { type: 'boolean' },
        url: { type: 'string' },
        token: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return { help: HELP };
    const [channel, ...more] = positionals;
    if (!channel) throw new Error("which channel? For example: npx sluice tail 'order:o-17'");
    if (more.length > 0) throw new Error(`one channel at a time, not also ${more.join(', ')}`);
    return {
      channel,
      subscribe: parseStart(values),
      ...(values.cut !== undefined && { cutAfterMs: parseDuration('--cut', values.cut) }),
      awayMs: parseDuration('--away', values.away ?? '3s'),
      isJson: values.json ?? false,
      count: values.count === undefined ? Number.POSITIVE_INFINITY : parseCount('--count', values.count),
      ...(values.url !== undefined && { url: values.url }),
      ...(values.token !== undefined && { token: values.token }),
    };
  } catch (error) {
    throw new DeployError('bad_arguments', `sluice tail: ${(error as Error).message}`, { cause: error });
  }
}

interface Start {
  readonly since?: string | undefined;
  readonly last?: string | undefined;
  readonly first?: string | undefined;
  readonly from?: string | undefined;
}

const FIRST = ['states', 'all', 'none'] as const;

function parseStart({ since, last, first, from }: Start): SubscribeOptions {
  const given = Object.entries({ since, last, first, from }).filter(([, value]) => value !== undefined);
  if (given.length > 1) throw new Error(`${given.map(([name]) => `--${name}`).join(' and ')} contradict each other`);
  if (since !== undefined) return { first: { sinceMs: parseDuration('--since', since) } };
  if (last !== undefined) return { first: { last: parseCount('--last', last) } };
  if (from !== undefined) {
    if (!parsePosition(from).ok) throw new Error('--from is no position: take what a viewer printed at its end');
    return { position: from };
  }
  if (first === undefined) return {};
  const known = FIRST.find((each) => each === first);
  if (!known) throw new Error(`--first is one of ${FIRST.join(', ')}, not ${first}`);
  return { first: known };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseDuration(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new Error(`${name} is a time such as 500ms, 30s, 10m, 2h or 7d, not ${text}`);
  return Math.round(Number(match[1]) * UNIT_MS[match[2]!]!);
}

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) throw new Error(`${name} is a whole number of at least 1, not ${text}`);
  return count;
}

// Lets the simulated town live as time goes by: commands to the services, events of shops to their streams. Thin: the town
// decides what happens.
import type { rez } from '@sluice/schemas';
import { type Clock, wait } from '../clock.ts';
import type { CommandSender } from '../command-sender.ts';
import { ProducerError } from '../errors.ts';
import type { Publisher } from '../publisher.ts';
import type { CityAct, CityCommand, ShopEvent, Threads } from './city/act.ts';

export interface TownRun {
  readonly town: Threads;
  readonly publisher: Publisher<typeof rez>;
  readonly commands: CommandSender;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** It did not get through, and the town goes on without it. */
  readonly onLost?: (act: CityAct, reason: string) => void;
}

const TICK_MS = 100;
/** After an outage nobody wants to know what would have been said meanwhile. */
const FRESH_MS = 10_000;

/** Runs until the signal aborts, through any outage of NATS. Rejects for faults that time does not heal. */
export const runTown = async (run: TownRun): Promise<void> => {
  const { town, clock, signal } = run;
  while (!signal.aborted) {
    const nowMs = clock.wallMs();
    // One after the other: the order in which people act is what they see.
    for (const act of town.advance(nowMs, nowMs - FRESH_MS)) {
      if (signal.aborted) return;
      if (act.kind === 'command') await send(run, act);
      else await publish(run, act);
    }
    await wait(clock, TICK_MS, signal);
  }
};

const send = async ({ commands, signal, onLost }: TownRun, act: CityCommand): Promise<void> => {
  const { command, commandId, sender, data } = act;
  const outcome = await commands.send({ command, commandId, actor: { ...sender }, data: { ...data } }, signal);
  if (outcome === 'refused') onLost?.(act, outcome);
};

const publish = async ({ publisher, signal, onLost }: TownRun, act: ShopEvent): Promise<void> => {
  try {
    // Type, keys and payload belong together, which the type of a union cannot tell one by one.
    await publisher.publish(act.type, act.keys, act.payload as never);
  } catch (error) {
    if (!(error instanceof ProducerError)) throw error;
    if (error.code === 'closed' && signal.aborted) return;
    if (error.code !== 'unavailable' && error.code !== 'unacknowledged') throw error;
    onLost?.(act, error.code);
  }
};

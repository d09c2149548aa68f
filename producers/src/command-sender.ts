// Stores commands as a gateway would: for simulations, whose users have no connection. Knows no catalogue: what it is
// given must fit.
import { type CommandEnvelope, commandSubject } from '@sluice/schemas';
import { type Clock, wait } from './clock.ts';
import { type Connection, Wire } from './nats.ts';
import { judge } from './retry.ts';

export type Command = Omit<CommandEnvelope, 'receivedAt'>;

export interface CommandSender {
  /** Through any outage. `refused`: the stream is full, or has a command of this sender, name and id. */
  send(command: Command, signal: AbortSignal): Promise<'stored' | 'refused' | 'aborted'>;
  close(): void;
}

const ACK_TIMEOUT_MS = 5_000;
const RETRY_MS = 250;

/** The connection stays the caller's. */
export const createCommandSender = (connection: Connection, clock: Clock): CommandSender => {
  const wire = new Wire(connection, { clock, ackTimeoutMs: ACK_TIMEOUT_MS });
  const text = new TextEncoder();
  return {
    close: () => wire.release(),
    send: async (command, signal) => {
      const subject = commandSubject(command.command, command.actor.sub, command.commandId);
      const envelope: CommandEnvelope = { ...command, receivedAt: new Date(clock.wallMs()).toISOString() };
      const bytes = text.encode(JSON.stringify(envelope));
      for (let isUncertain = false; !signal.aborted; await wait(clock, RETRY_MS, signal)) {
        const verdict = judge(await wire.send(subject, bytes, undefined));
        if (verdict.kind === 'stored') return 'stored';
        // The first attempt was stored after all: the stream takes one per subject.
        if (verdict.kind !== 'retry') return isUncertain ? 'stored' : 'refused';
        isUncertain ||= verdict.isUncertain;
      }
      return 'aborted';
    },
  };
};

// What became of a command: for its sender, who may have been away meanwhile.
import { Type } from 'typebox';
import { family, moment } from '../catalogue/define.ts';
import { Id, Timestamp } from './fields.ts';
import { USER } from './streams.ts';

const CommandName = Type.String({ minLength: 3, maxLength: 128 });

export const commandOutcome = family({
  name: 'command',
  /** `command`: the name as one token, `chat:send_message`. An id is the command's only together with it. */
  subject: 'command.{userId}.{command}.{commandId}',
  stream: USER,
  guard: { placeholders: { userId: ['sub'] } },
  types: {
    applied: moment(
      Type.Object({ command: CommandName, commandId: Id, result: Type.Optional(Type.Unknown()), timestamp: Timestamp }),
    ),
    rejected: moment(
      Type.Object({
        command: CommandName,
        commandId: Id,
        /** For programs: `out_of_stock`. */
        code: Type.String({ minLength: 1, maxLength: 64 }),
        /** For people. */
        reason: Type.String({ maxLength: 1_000 }),
        /** What is so now, where the command's offline rule promises it. */
        state: Type.Optional(Type.Unknown()),
        timestamp: Timestamp,
      }),
    ),
  },
});

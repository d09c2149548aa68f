// `sluice token`: a development token on standard output, alone, so that it can be used in a pipe.

import { parseArgs } from 'node:util';
import { DeployError } from '../errors.ts';
import { signToken, type TokenSubject, tokenSecret } from '../stack/tokens.ts';

export async function runToken(args: readonly string[]): Promise<number> {
  console.log(await signToken(await tokenSecret(), parseSubject(args)));
  return 0;
}

/** Throws `bad_arguments`. */
export function parseSubject(args: readonly string[]): TokenSubject {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        sub: { type: 'string' },
        role: { type: 'string' },
        merchant: { type: 'string', multiple: true },
      },
    });
    if (!values.sub) throw new Error('--sub is needed: the id of the user the token speaks for');
    return {
      sub: values.sub,
      ...(values.role === undefined ? {} : { role: values.role }),
      ...(values.merchant === undefined ? {} : { merchantIds: values.merchant }),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DeployError('bad_arguments', `sluice token: ${reason}`, { cause: error });
  }
}

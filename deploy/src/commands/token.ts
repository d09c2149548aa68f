// `sluice token`: a development token on standard output, alone, so that it can be used in a pipe.

import { parseArgs } from 'node:util';
import { DeployError } from '../errors.ts';
import { signToken, type TokenSubject, tokenSecret } from '../stack/tokens.ts';

export async function runToken(args: readonly string[]): Promise<number> {
  const subject = parseSubject(args);
  console.log(subject === 'help' ? USAGE : await signToken(await tokenSecret(), subject));
  return 0;
}

const USAGE = `Usage: npx sluice token --sub <id> [--role <role>] [--merchant <id>]...

A development token for the local stack, on standard output. Without a role it speaks for a customer.

  npx sluice token --sub u-1                                          the customer u-1
  npx sluice token --sub u-2 --role merchant_owner --merchant m-1     the merchant m-1`;

/** Throws `bad_arguments`. */
export function parseSubject(args: readonly string[]): TokenSubject | 'help' {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        sub: { type: 'string' },
        role: { type: 'string' },
        merchant: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) return 'help';
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

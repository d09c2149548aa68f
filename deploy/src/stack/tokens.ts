// Development tokens for the local stack, signed with a secret that is generated once and never leaves the machine.

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { SignJWT } from 'jose';
import { folder } from './folder.ts';

export interface TokenSubject {
  readonly sub: string;
  /** Left out: the catalogue's fallback, a customer. */
  readonly role?: string;
  readonly merchantIds?: readonly string[];
}

const LIFETIME = '30d';
const SECRET_BYTES = 32;

/** The shared secret as text, which is also what the gateway is given. */
export async function tokenSecret(): Promise<string> {
  await mkdir(folder.root, { recursive: true });
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  // Never overwritten, so that the tokens of an earlier start stay valid, and two starts agree.
  await writeFile(folder.secret, secret, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return (await readFile(folder.secret, 'utf8')).trim();
}

export async function signToken(secret: string, subject: TokenSubject): Promise<string> {
  const { sub, role, merchantIds = [] } = subject;
  const merchantId = merchantIds.length > 1 ? merchantIds : merchantIds[0];
  return new SignJWT({
    ...(role === undefined ? {} : { role }),
    ...(merchantId === undefined ? {} : { merchantId }),
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime(LIFETIME)
    .sign(new TextEncoder().encode(secret));
}

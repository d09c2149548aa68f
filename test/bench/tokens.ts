// Tokens of the benchmarks' users. HS256 with a shared secret, or ES256 with a fresh key pair.
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';

export interface Issuer {
  /** Settings of the gateway that accepts these tokens. */
  readonly settings: Readonly<Record<string, string>>;
  sign(sub: string, role: string): Promise<string>;
}

const LIFETIME = '2h';

export const createSharedSecretIssuer = (): Issuer => {
  const secret = 'a shared secret of the benchmarks, long enough for HS256';
  const key = new TextEncoder().encode(secret);
  return {
    settings: { SLUICE_TOKEN_SECRET: secret },
    sign: (sub, role) => sign({ role }, sub, 'HS256', key),
  };
};

export const createKeyPairIssuer = async (): Promise<Issuer> => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return {
    settings: { SLUICE_TOKEN_PUBLIC_KEY: await exportSPKI(publicKey) },
    sign: (sub, role) => sign({ role }, sub, 'ES256', privateKey),
  };
};

const sign = (
  claims: Record<string, unknown>,
  sub: string,
  alg: string,
  key: CryptoKey | Uint8Array,
): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg }).setSubject(sub).setIssuedAt().setExpirationTime(LIFETIME).sign(key);

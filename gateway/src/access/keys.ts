// What verifies tokens: a shared secret, one public key, or an identity provider's key set. Configured text -> a parsed
// key and the algorithms it may be used with; the kind of key decides, never the token (no `none`, no HS with a public key).
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { fail, ok, type Result } from '@sluice/schemas';

export type VerificationKey =
  | { readonly kind: 'secret'; readonly key: KeyObject; readonly algorithms: readonly string[] }
  | { readonly kind: 'public'; readonly key: KeyObject; readonly algorithms: readonly string[] }
  | { readonly kind: 'jwks'; readonly url: URL; readonly algorithms: readonly string[] };

const HS = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EDWARDS = ['EdDSA', 'Ed25519'];
const BY_CURVE: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};
/** RFC 7518, 3.2: as long as the hash of HS256. */
const MIN_SECRET_BYTES = 32;
/** RFC 7518, 3.3. */
const MIN_RSA_BITS = 2_048;

/** A shared secret, as text. */
export const parseSecret = (secret: string): Result<VerificationKey, string> => {
  if (secret.includes('-----BEGIN')) return fail('is a PEM key: whoever has the public one could sign tokens with it');
  const bytes = Buffer.from(secret, 'utf8');
  if (bytes.length < MIN_SECRET_BYTES)
    return fail(`has ${bytes.length} bytes, at least ${MIN_SECRET_BYTES} are needed`);
  return ok({ kind: 'secret', key: createSecretKey(bytes), algorithms: HS });
};

/** A public key as PEM (SPKI, PKCS#1 or an X.509 certificate) or as a JWK. Private keys are refused: none is needed. */
export const parsePublicKey = (text: string): Result<VerificationKey, string> => {
  if (text.includes('PRIVATE KEY')) return fail('is a private key: give the public one');
  let key: KeyObject;
  let declared: unknown;
  try {
    if (text.trimStart().startsWith('{')) {
      const jwk: Record<string, unknown> = JSON.parse(text);
      if (jwk['kty'] === 'oct') return fail('is a shared secret (kty oct): give it as the token secret');
      if ('d' in jwk) return fail('is a private key: give the public one');
      if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return fail('is a key for encryption (use is not sig)');
      declared = jwk['alg'];
      key = createPublicKey({ key: jwk, format: 'jwk' });
    } else key = createPublicKey(text);
  } catch {
    // OpenSSL's and JSON.parse's words may quote the key.
    return fail('is neither a PEM public key nor a JWK');
  }
  const algorithms = algorithmsOf(key);
  if (algorithms.length === 0) {
    const bits = key.asymmetricKeyDetails?.modulusLength;
    const size = bits === undefined ? '' : `, ${bits} bits`;
    return fail(`is too weak or of an unsupported type (${key.asymmetricKeyType}${size})`);
  }
  if (declared === undefined) return ok({ kind: 'public', key, algorithms });
  const only = algorithms.filter((algorithm) => algorithm === declared);
  return only.length > 0
    ? ok({ kind: 'public', key, algorithms: only })
    : fail('is a JWK whose alg does not fit its key');
};

/** Address of a JSON Web Key Set. Plain http is for the same machine only: who can answer can sign. */
export const parseJwksUrl = (text: string): Result<VerificationKey, string> => {
  if (!URL.canParse(text)) return fail('is not a URL');
  const url = new URL(text);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) return fail('is not an https URL');
  return ok({ kind: 'jwks', url, algorithms: [...Object.values(BY_CURVE).flat(), ...RSA, ...EDWARDS] });
};

/** The key, limited to the algorithms that were configured. */
export const limitAlgorithms = (key: VerificationKey, wanted: readonly string[]): Result<VerificationKey, string> => {
  const foreign = wanted.filter((algorithm) => !key.algorithms.includes(algorithm));
  if (foreign.length > 0)
    return fail(`${foreign.join(', ')} cannot be used with this key (${key.algorithms.join(', ')})`);
  return ok({ ...key, algorithms: wanted });
};

/** What a public key may verify; nothing, if it is too weak or of a kind that signs no tokens. */
export const algorithmsOf = (key: KeyObject): readonly string[] => {
  const details = key.asymmetricKeyDetails;
  if (key.asymmetricKeyType === 'rsa') return (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? RSA : [];
  if (key.asymmetricKeyType === 'ed25519') return EDWARDS;
  const curve = key.asymmetricKeyType === 'ec' ? BY_CURVE[details?.namedCurve ?? ''] : undefined;
  return curve ?? [];
};

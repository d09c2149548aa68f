// Where the gateway finds NATS and is found itself, and whom it believes.
import { SUBJECT_ENCODINGS, type SubjectEncoding } from '@sluice/schemas';
import { HOUR, KiB, MINUTE, SECOND } from './units.ts';
import { choice, flag, integer, list, requiredText, text, type Option } from './values.ts';

export interface NetworkOptions {
  readonly natsUrl: readonly string[];
  readonly natsUser: string | undefined;
  readonly natsPassword: string | undefined;
  readonly natsToken: string | undefined;
  readonly natsCredsFile: string | undefined;
  readonly natsTlsCaFile: string | undefined;
  readonly natsTlsCertFile: string | undefined;
  readonly natsTlsKeyFile: string | undefined;
  readonly natsInboxPrefix: string | undefined;
  readonly natsConnectTimeoutMs: number;

  readonly host: string;
  readonly port: number;
  readonly operationsHost: string;
  readonly operationsPort: number;

  readonly tokenSecret: string | undefined;
  readonly tokenSecretFile: string | undefined;
  readonly tokenPublicKey: string | undefined;
  readonly tokenPublicKeyFile: string | undefined;
  readonly tokenJwksUrl: string | undefined;
  readonly tokenIssuer: readonly string[];
  readonly tokenAudience: readonly string[];
  readonly tokenAlgorithms: readonly string[];
  readonly tokenClockToleranceMs: number;
  readonly tokenMaxBytes: number;
  readonly tokenInQuery: boolean;
  readonly tokenExpiringMs: number;
  readonly jwksTimeoutMs: number;
  readonly jwksCooldownMs: number;
  readonly jwksMaxAgeMs: number;
  readonly subjectEncoding: SubjectEncoding;
}

const NATS = 'NATS';
const LISTENING = 'Listening';
const TOKENS = 'Tokens';

const refuseNatsUrl = (value: string): string | undefined =>
  /^(nats|tls):\/\//.test(value) && URL.canParse(value) && new URL(value).host !== ''
    ? undefined
    : 'must be addresses such as nats://host:4222 or tls://host:4222';

export const NETWORK: { readonly [K in keyof NetworkOptions]: Option<NetworkOptions[K]> } = {
  natsUrl: list({
    section: NATS,
    default: ['nats://127.0.0.1:4222'],
    refuse: refuseNatsUrl,
    help: 'Servers of the NATS cluster. Name several: a pod moves to another one when its server is cut off.',
  }),
  natsUser: text({ section: NATS, help: 'User name; needs the password.' }),
  natsPassword: text({ section: NATS, isSecret: true, help: 'Password of the user.' }),
  natsToken: text({ section: NATS, isSecret: true, help: 'Token, for servers that authenticate by token.' }),
  natsCredsFile: text({ section: NATS, accepts: 'path', help: 'File with a user JWT and NKey seed (`.creds`).' }),
  natsTlsCaFile: text({ section: NATS, accepts: 'path', help: 'Certificate authorities to trust, PEM.' }),
  natsTlsCertFile: text({ section: NATS, accepts: 'path', help: 'Client certificate, PEM; needs the key.' }),
  natsTlsKeyFile: text({ section: NATS, accepts: 'path', help: 'Key of the client certificate, PEM.' }),
  natsInboxPrefix: text({
    section: NATS,
    refuse: (value) => (/[\s*>]|^\.|\.$|\.\./.test(value) ? 'must be a subject without wildcards' : undefined),
    help: 'First part of every inbox, where permissions of the NATS user ask for one.',
  }),
  natsConnectTimeoutMs: integer({
    section: NATS,
    default: 10 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    help: 'How long the first connect may take, over all servers.',
  }),
  host: requiredText({ section: LISTENING, default: '0.0.0.0', help: 'Address that clients connect to.' }),
  port: integer({
    section: LISTENING,
    default: 8_080,
    min: 0,
    max: 65_535,
    help: 'Port for clients; 0 takes a free one.',
  }),
  operationsHost: requiredText({
    section: LISTENING,
    default: '0.0.0.0',
    help: 'Address of `/livez`, `/readyz` and `/metrics`. Keep it inside your network.',
  }),
  operationsPort: integer({
    section: LISTENING,
    default: 8_081,
    min: 0,
    max: 65_535,
    help: 'Port of health and metrics; 0 takes a free one.',
  }),
  tokenSecret: text({
    section: TOKENS,
    isSecret: true,
    help: 'Shared secret for HS256, HS384 and HS512; at least 32 bytes. Exactly one source of keys must be given.',
  }),
  tokenSecretFile: text({
    section: TOKENS,
    accepts: 'path',
    help: 'File with the shared secret; a line break at its end does not count.',
  }),
  tokenPublicKey: text({
    section: TOKENS,
    accepts: 'PEM or JWK',
    isSecret: true,
    help: 'Public key (RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519) or certificate. `\\n` stands for a line break.',
  }),
  tokenPublicKeyFile: text({ section: TOKENS, accepts: 'path', help: 'File with the public key, PEM or JWK.' }),
  tokenJwksUrl: text({
    section: TOKENS,
    accepts: 'https URL',
    help: 'JSON Web Key Set of the identity provider. Plain http only on the same machine.',
  }),
  tokenIssuer: list({ section: TOKENS, default: [], help: 'Accepted `iss` values; none given: any.' }),
  tokenAudience: list({
    section: TOKENS,
    default: [],
    help: 'Accepted `aud` values; none given: any. Set it where the identity provider serves other systems too.',
  }),
  tokenAlgorithms: list({
    section: TOKENS,
    default: [],
    help: 'Accepted signature algorithms; none given: all that fit the kind of key. `none` is never accepted.',
  }),
  tokenClockToleranceMs: integer({
    section: TOKENS,
    default: 5 * SECOND,
    min: 0,
    max: 5 * MINUTE,
    help: 'How far the clocks of token issuer and gateway may differ.',
  }),
  tokenMaxBytes: integer({
    section: TOKENS,
    default: 16 * KiB,
    min: 256,
    max: 16 * KiB,
    help: 'Longer tokens are refused unread.',
  }),
  tokenInQuery: flag({
    section: TOKENS,
    default: false,
    help: 'Accept `?token=` in the URL, for old apps. Proxies tend to log URLs: prefer hello or the Authorization header.',
  }),
  tokenExpiringMs: integer({
    section: TOKENS,
    default: MINUTE,
    min: 0,
    max: HOUR,
    help: 'How long before its token expires a connection is told.',
  }),
  jwksTimeoutMs: integer({
    section: TOKENS,
    default: 5 * SECOND,
    min: 100,
    max: MINUTE,
    help: 'How long fetching the key set may take.',
  }),
  jwksCooldownMs: integer({
    section: TOKENS,
    default: 30 * SECOND,
    min: 0,
    max: HOUR,
    help: 'A key that is not in the set makes it be fetched again, at most this often.',
  }),
  jwksMaxAgeMs: integer({
    section: TOKENS,
    default: 10 * MINUTE,
    min: SECOND,
    max: 24 * HOUR,
    help: 'The key set is fetched again after this time: a revoked key is accepted no longer than that.',
  }),
  subjectEncoding: choice({
    section: TOKENS,
    choices: SUBJECT_ENCODINGS,
    default: 'none',
    help: '`percent` spells the claims that enter subjects so that a subject can carry them (`auth0|a.b` as `auth0|a%2Eb`): each of `. * > : %`, whitespace and control characters as %XX of its UTF-8 bytes. Producers must write their subjects the same way.',
  }),
};

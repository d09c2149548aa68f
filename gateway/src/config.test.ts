import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { configurationPage } from './config/docs.ts';
import { OPTIONS } from './config/table.ts';
import { describeConfig, formatFaults, loadConfig, toEnvName, type Config, type ConfigFault } from './config.ts';

const SECRET = 'a shared secret of at least thirty-two bytes';
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = String(pair.publicKey.export({ type: 'spki', format: 'pem' }));

type Env = Readonly<Record<string, string | undefined>>;
type Files = Readonly<Record<string, string>>;

const load = (env: Env, files: Files = {}): ReturnType<typeof loadConfig> =>
  loadConfig({
    env,
    readFile: (path) => {
      const content = files[path];
      if (content === undefined)
        throw Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: 'ENOENT' });
      return content;
    },
  });

const good = (env: Env = {}, files: Files = {}): Config => {
  const loaded = load({ SLUICE_TOKEN_SECRET: SECRET, ...env }, files);
  if (!loaded.ok) throw new Error(formatFaults(loaded.error));
  return loaded.value;
};

const faultsOf = (env: Env, files: Files = {}): readonly ConfigFault[] => {
  const loaded = load({ SLUICE_TOKEN_SECRET: SECRET, ...env }, files);
  return loaded.ok ? [] : loaded.error;
};

const optionsAtFault = (env: Env, files: Files = {}): readonly string[] =>
  faultsOf(env, files).map(({ option }) => option);

describe('sources', () => {
  test('a key is all that has to be given', () => {
    const config = good();

    expect(config.port).toBe(8_080);
    expect(config.natsUrl).toEqual(['nats://127.0.0.1:4222']);
    expect(config.verificationKey.algorithms).toEqual(['HS256', 'HS384', 'HS512']);
  });

  test('the environment wins over the file, the file over the defaults', () => {
    const files = { '/etc/sluice.json': JSON.stringify({ port: 1, host: '::1', tokenIssuer: ['a', 'b'] }) };

    const config = good({ SLUICE_CONFIG: '/etc/sluice.json', SLUICE_PORT: '2' }, files);

    expect([config.port, config.host, config.operationsPort]).toEqual([2, '::1', 8_081]);
    expect(config.tokenIssuer).toEqual(['a', 'b']);
  });

  test('an empty variable is an absent one', () => {
    expect(good({ SLUICE_PORT: '', SLUICE_NATS_USER: '', SLUICE_CONFIG: '' }).port).toBe(8_080);
  });

  test('every kind of value can be given as text', () => {
    const config = good({
      SLUICE_NATS_URL: 'nats://a:4222, tls://b:4222',
      SLUICE_TAIL_MAX_BYTES: '134_217_728',
      SLUICE_COMPRESSION: 'TRUE',
      SLUICE_TOKEN_IN_QUERY: '1',
      SLUICE_VALIDATE: 'sample',
      SLUICE_SUBJECT_ENCODING: 'percent',
      SLUICE_LOG_LEVEL: 'debug',
    });

    expect(config.natsUrl).toEqual(['nats://a:4222', 'tls://b:4222']);
    expect(config.tailMaxBytes).toBe(134_217_728);
    expect([config.compression, config.tokenInQuery, config.validate]).toEqual([true, true, 'sample']);
    expect([config.subjectEncoding, config.logLevel]).toEqual(['percent', 'debug']);
  });

  test('the result cannot be changed', () => {
    const config = good();

    expect(Object.isFrozen(config) && Object.isFrozen(config.natsUrl)).toBe(true);
  });

  test('every option has its own variable', () => {
    const names = Object.keys(OPTIONS).map(toEnvName);

    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('SLUICE_JWKS_MAX_AGE_MS');
  });

  test('every default passes its own check', () => {
    for (const [name, option] of Object.entries(OPTIONS)) {
      if (option.default !== undefined) expect([name, option.check(option.default).ok]).toEqual([name, true]);
    }
  });
});

describe('faults', () => {
  test('all are named at once, with what was received', () => {
    const faults = faultsOf({
      SLUICE_PORT: '70000',
      SLUICE_TAIL_SECONDS: '1m',
      SLUICE_VALIDATE: 'maybe',
      SLUICE_COMPRESSION: 'yes',
      SLUICE_NATS_URL: 'http://x',
      SLUICE_LOG_LEVEL: 'loud',
      SLUICE_NATS_CREDS_FILE: '/missing',
    });

    expect(faults).toEqual([
      { option: 'SLUICE_NATS_URL', message: expect.stringContaining('nats://host:4222'), received: '"http://x"' },
      { option: 'SLUICE_PORT', message: 'must be from 0 to 65535', received: '"70000"' },
      { option: 'SLUICE_TAIL_SECONDS', message: 'must be an integer', received: '"1m"' },
      { option: 'SLUICE_VALIDATE', message: 'must be one of all, sample, off', received: '"maybe"' },
      { option: 'SLUICE_COMPRESSION', message: 'must be true or false', received: '"yes"' },
      { option: 'SLUICE_LOG_LEVEL', message: expect.stringContaining('must be one of'), received: '"loud"' },
      { option: 'SLUICE_NATS_CREDS_FILE', message: 'cannot be read: ENOENT', received: '"/missing"' },
    ]);
    expect(formatFaults(faults).split('\n').length).toBe(7);
  });

  test('of the file name its keys', () => {
    const files = { f: '{"port": "x", "compression": 1, "natsUrl": [1], "host": null, "tokenIssuer": {}}' };

    expect([...optionsAtFault({ SLUICE_CONFIG: 'f' }, files)].sort()).toEqual([
      'compression',
      'host',
      'natsUrl',
      'port',
      'tokenIssuer',
    ]);
  });

  test.each(['', '[]', '3', 'null', '{', '{"tokenSecret": "swordfish'])(
    'a file that is no object is one: %j',
    (content) => {
      const faults = faultsOf({ SLUICE_CONFIG: 'f' }, { f: content });

      expect(faults).toEqual([{ option: 'SLUICE_CONFIG', message: 'is not a JSON object', received: 'f' }]);
    },
  );

  test('unknown variables and keys are faults, with a suggestion where it is a slip', () => {
    const faults = faultsOf(
      { SLUICE_PROT: '1', SLUICE_CONFIG: 'f', PORT: '3' },
      { f: '{"flushIntervallMs": 5, "zebra": 1}' },
    );

    expect(faults.map(({ option }) => option)).toEqual(['SLUICE_PROT', 'flushIntervallMs', 'zebra']);
    expect(faults[1]?.message).toContain('did you mean flushIntervalMs?');
    expect(faults[2]?.message).toBe('is no option of the file');
  });

  test('what other parts of the project read is none', () => {
    expect(optionsAtFault({ SLUICE_TEST_SEED: '1', SLUICE_CACHE_DIR: '/c', SLUICE_NATS_IMAGE: 'nats' })).toEqual([]);
    expect(optionsAtFault({ SLUICE_CACHE_DIRS: '/c' })).toEqual(['SLUICE_CACHE_DIRS']);
  });

  test.each([['-1'], ['1.5'], ['1e3'], ['0x10'], [' 1'], ['Infinity'], ['NaN'], ['_'], ['9007199254740993']])(
    '%j is no port',
    (port) => {
      expect(optionsAtFault({ SLUICE_PORT: port })).toEqual(['SLUICE_PORT']);
    },
  );

  test('secrets are never shown', () => {
    const password = 'correct horse';
    const faults = faultsOf({
      SLUICE_TOKEN_SECRET: 'swordfish',
      SLUICE_NATS_URL: 'nats://joe:hunter2@a:4222,http://joe:hunter2@b',
      SLUICE_NATS_PASSWORD: password,
      SLUICE_TOKEN_PUBLIC_KEY: '{"kty":"oct","k":"swordfish"}',
    });

    expect(faults.length).toBeGreaterThan(3);
    expect(JSON.stringify(faults)).not.toMatch(/swordfish|hunter2|correct horse/);
    const shown = describeConfig(
      good({ SLUICE_NATS_URL: 'nats://joe:hunter2@a:4222', SLUICE_NATS_USER: 'joe', SLUICE_NATS_PASSWORD: password }),
    );
    expect(JSON.stringify(shown)).not.toMatch(/thirty-two|hunter2|correct horse/);
    expect(shown['natsUrl']).toEqual(['nats://(hidden)@a:4222']);
    expect(shown['port']).toBe(8_080);
  });
});

test('pings come sooner than a client takes silence for a dead link, which is a minute at the most', () => {
  expect(good({ SLUICE_PING_INTERVAL_MS: '45000' }).pingIntervalMs).toBe(45_000);
  expect(optionsAtFault({ SLUICE_PING_INTERVAL_MS: '60000' })).toEqual(['SLUICE_PING_INTERVAL_MS']);
});

describe('options together', () => {
  const without = { SLUICE_TOKEN_SECRET: undefined };

  test('no source of keys is a fault', () => {
    const faults = faultsOf(without);

    expect(faults.length).toBe(1);
    expect(faults[0]?.option).toContain('SLUICE_TOKEN_JWKS_URL');
  });

  test('two sources of keys are a fault, whichever they are', () => {
    expect(optionsAtFault({ SLUICE_TOKEN_JWKS_URL: 'https://id.example/keys' })).toEqual([
      'SLUICE_TOKEN_SECRET, SLUICE_TOKEN_JWKS_URL',
    ]);
    expect(optionsAtFault({ SLUICE_TOKEN_SECRET_FILE: 's' }, { s: SECRET }).length).toBe(1);
  });

  test('each source of keys works on its own', () => {
    const kindOf = (env: Env, files: Files = {}): string => good({ ...without, ...env }, files).verificationKey.kind;

    expect(kindOf({ SLUICE_TOKEN_SECRET_FILE: 's' }, { s: `${SECRET}\n` })).toBe('secret');
    expect(kindOf({ SLUICE_TOKEN_PUBLIC_KEY: PEM })).toBe('public');
    expect(kindOf({ SLUICE_TOKEN_PUBLIC_KEY: PEM.replaceAll('\n', '\\n') })).toBe('public');
    expect(kindOf({ SLUICE_TOKEN_PUBLIC_KEY_FILE: 'k' }, { k: PEM })).toBe('public');
    expect(kindOf({ SLUICE_TOKEN_PUBLIC_KEY: JSON.stringify(pair.publicKey.export({ format: 'jwk' })) })).toBe(
      'public',
    );
    expect(kindOf({ SLUICE_TOKEN_JWKS_URL: 'https://id.example/keys' })).toBe('jwks');
  });

  test('a key that cannot be used is a fault of its option', () => {
    expect(optionsAtFault({ ...without, SLUICE_TOKEN_SECRET: 'short' })).toEqual(['SLUICE_TOKEN_SECRET']);
    expect(optionsAtFault({ ...without, SLUICE_TOKEN_SECRET: PEM })).toEqual(['SLUICE_TOKEN_SECRET']);
    expect(optionsAtFault({ ...without, SLUICE_TOKEN_JWKS_URL: 'http://id.example' })).toEqual([
      'SLUICE_TOKEN_JWKS_URL',
    ]);
    expect(optionsAtFault({ ...without, SLUICE_TOKEN_PUBLIC_KEY_FILE: 'missing' })).toEqual([
      'SLUICE_TOKEN_PUBLIC_KEY_FILE',
    ]);
  });

  test('algorithms must fit the key', () => {
    const config = good({ SLUICE_TOKEN_ALGORITHMS: 'HS512' });

    expect(config.verificationKey.algorithms).toEqual(['HS512']);
    for (const algorithms of ['none', 'RS256', 'HS256,ES256']) {
      expect(optionsAtFault({ SLUICE_TOKEN_ALGORITHMS: algorithms })).toEqual([
        'SLUICE_TOKEN_ALGORITHMS, SLUICE_TOKEN_SECRET',
      ]);
    }
  });

  test.each<[string, Env]>([
    ['a user without a password', { SLUICE_NATS_USER: 'joe' }],
    ['a password without a user', { SLUICE_NATS_PASSWORD: 'x' }],
    ['a certificate without its key', { SLUICE_NATS_TLS_CERT_FILE: 'c' }],
    ['two ways to log in', { SLUICE_NATS_TOKEN: 't', SLUICE_NATS_CREDS_FILE: 'c' }],
    ['one port twice', { SLUICE_PORT: '9000', SLUICE_OPERATIONS_PORT: '9000' }],
    ['more before hello than in a frame', { SLUICE_MAX_FRAME_BYTES: '50_000' }],
    ['a token that no hello can carry', { SLUICE_TOKEN_MAX_BYTES: '5000', SLUICE_UNAUTHENTICATED_MAX_BYTES: '4000' }],
    ['a socket with more than its user', { SLUICE_MAX_SUBSCRIPTIONS_PER_SOCKET: '2000' }],
    ['a drain that outlasts the shutdown', { SLUICE_DRAIN_WINDOW_MS: '30000' }],
    ['a lease that may hardly be late', { SLUICE_PRESENCE_LEASE_MS: '8000' }],
  ])('%s', (_, env) => {
    expect(faultsOf(env, { c: 'x' }).length).toBe(1);
  });

  test('free ports may be the same', () => {
    expect(optionsAtFault({ SLUICE_PORT: '0', SLUICE_OPERATIONS_PORT: '0' })).toEqual([]);
  });

  test('the credentials file is read', () => {
    expect(good({ SLUICE_NATS_CREDS_FILE: 'c' }, { c: 'creds' }).natsCreds).toBe('creds');
  });
});

test('docs/CONFIGURATION.md says what the table says', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../../docs/CONFIGURATION.md');
});

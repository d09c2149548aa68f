// I9: tokens that must not be accepted, claims that must not become filters. Each gets its code; nobody else notices.
import { CLOSE_CODES } from '@sluice/schemas';
import { describe, expect } from 'vitest';
import { eventually } from '../kit/eventually.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { startGateway } from '../kit/gateway.ts';
import { publishOrderEvents } from '../kit/order-events.ts';
import { sharedGateway } from '../kit/shared-gateway.ts';
import {
  type Claims,
  TEST_SECRET,
  type TokenOptions,
  badTokens,
  hostileIds,
  keyConfusionToken,
  keyIssuer,
  principals,
  secretIssuer,
  startJwksServer,
  unsignedToken,
} from '../kit/token.ts';

const test = sharedGateway();

const EXPECTED = { audience: 'sluice', issuer: 'https://id.example' };
const strictTest = sharedGateway(
  { SLUICE_TOKEN_AUDIENCE: EXPECTED.audience, SLUICE_TOKEN_ISSUER: EXPECTED.issuer },
  EXPECTED,
);

const sign = async (claims: Claims, options: TokenOptions = {}): Promise<string> =>
  await secretIssuer().sign(claims, options);

/** The code of the error, and the close that follows. */
const refusalOf = async (url: string, token: string | undefined): Promise<{ code: string; close: number }> => {
  using client = await FrameClient.open({ url });
  client.hello(token);
  const { code } = await client.next('error');
  const { code: close } = await client.raw.closed;
  expect(client.frames.map(({ kind }) => kind)).not.toContain('welcome');
  return { code, close };
};

const INVALID = { code: 'token_invalid', close: CLOSE_CODES.token_invalid };
const EXPIRED = { code: 'token_expired', close: CLOSE_CODES.token_expired };

describe('a hello is refused', () => {
  test('without a token', async ({ gateway }) => {
    const missing = { code: 'token_missing', close: CLOSE_CODES.token_missing };
    await expect(refusalOf(gateway.url, undefined)).resolves.toEqual(missing);
    await expect(refusalOf(gateway.url, '')).resolves.toEqual(missing);
  });

  test('with every kind of bad token, each by its code', async ({ gateway }) => {
    const tokens = Object.entries(await badTokens());
    expect(tokens.length).toBeGreaterThan(8);

    for (const [name, token] of tokens) {
      const refusal = await refusalOf(gateway.url, token);
      expect({ name, ...refusal }).toEqual({ name, ...(name === 'expired' ? EXPIRED : INVALID) });
    }
  });

  strictTest.for([
    { what: 'for another audience', options: { ...EXPECTED, audience: 'billing' } },
    { what: 'for several other audiences', options: { ...EXPECTED, audience: ['billing', 'sluice-admin'] } },
    { what: 'for nobody in particular', options: { issuer: EXPECTED.issuer } },
    { what: 'from another issuer', options: { ...EXPECTED, issuer: `${EXPECTED.issuer}.evil` } },
    { what: 'from nobody in particular', options: { audience: EXPECTED.audience } },
  ])('with a token $what', async ({ options }, { gateway, openFrames }) => {
    await openFrames();
    await expect(refusalOf(gateway.url, await sign(principals.customer(), options))).resolves.toEqual(INVALID);
  });

  test('with a token of 16 KB and more, unread', async ({ gateway }) => {
    const long = await sign({ ...principals.customer(), note: 'x'.repeat(11_500) });
    expect(long.length).toBeLessThan(16_384);
    const longer = await sign({ ...principals.customer(), note: 'x'.repeat(13_000) });
    expect(longer.length).toBeGreaterThan(16_384);

    using accepted = await FrameClient.open({ url: gateway.url, token: long });
    expect(accepted.raw.isOpen).toBe(true);
    using client = await FrameClient.open({ url: gateway.url });
    client.hello(longer);

    const { code } = await client.raw.closed;
    expect([CLOSE_CODES.hello_expected, CLOSE_CODES.token_invalid]).toContain(code);
  });

  test('with a good token in the URL, where it would be logged', async ({ gateway }) => {
    const token = await sign(principals.customer());

    await expect(refusalOf(`${gateway.url}?token=${token}`, undefined)).resolves.toMatchObject({
      code: 'token_missing',
    });
    expect(gateway.log().join('\n')).not.toContain(token.split('.')[2]);
  });
});

describe('claims that could widen a filter', () => {
  test.for(Object.keys(hostileIds))('a sub that is %s is refused', async (name, { gateway }) => {
    await expect(refusalOf(gateway.url, await sign({ sub: hostileIds[name] }))).resolves.toEqual(INVALID);
  });

  test.for(Object.keys(hostileIds))('a merchant that is %s opens nothing', async (name, { gateway, connection }) => {
    const token = await sign({ sub: 'owner-1', role: 'merchant_owner', merchantId: hostileIds[name] });
    using client = await FrameClient.open({ url: gateway.url, token });

    for (const channel of ['order:o-1', 'merchant:m-1', 'merchant:undefined', 'merchant:null', 'merchant:17']) {
      client.subscribe(channel, { first: 'all' });
      await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden', channel });
    }
    // What a wildcard would have opened.
    await publishOrderEvents(connection, 3, { orderId: 'o-1', merchantId: 'undefined' });
    client.subscribe('order:o-1');
    await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden' });
    expect(client.recorder.total()).toBe(0);
  });

  test.for([
    { what: 'with one bad among good ones', merchantId: ['m-1', '*'] },
    { what: 'of no merchant', merchantId: [] },
    { what: 'of lists', merchantId: [['m-1']] },
    { what: 'of a thousand', merchantId: Array.from({ length: 1_000 }, (_, index) => `m-${index}`) },
  ])('a list of merchants $what opens nothing', async ({ merchantId }, { gateway }) => {
    const token = await sign({ sub: 'owner-1', role: 'merchant_owner', merchantId });
    using client = await FrameClient.open({ url: gateway.url, token });

    client.subscribe('order:o-1');

    await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden' });
  });

  test.for([
    { what: 'a list', role: ['admin'] },
    { what: 'an object', role: { admin: true } },
    { what: 'a number', role: 1 },
    { what: 'true', role: true },
  ])('a role that is $what is refused, not taken for a customer', async ({ role }, { gateway }) => {
    await expect(refusalOf(gateway.url, await sign({ sub: 'u-1', role }))).resolves.toEqual(INVALID);
  });

  test.for(['ADMIN', 'admin ', 'administrator', 'toString', '__proto__', 'constructor', 'any', '*', ''])(
    'an unknown role (%j) grants no order',
    async (role, { gateway }) => {
      using client = await FrameClient.open({ url: gateway.url, token: await sign({ sub: 'u-1', role }) });

      client.subscribe('order:o-1');

      await expect(client.next('error')).resolves.toMatchObject({ code: 'forbidden' });
    },
  );
});

describe('a token over the open connection', () => {
  test('that is bad is refused by its code, and the old one stays', async ({ gateway, connection }) => {
    using client = await FrameClient.open({ url: gateway.url, token: await sign(principals.customer()) });
    await client.subscribeUntilLive('order:o-2', { first: 'none' });
    const tokens = await badTokens();

    for (const [name, token] of Object.entries({ ...tokens, '': '' })) {
      const id = client.nextId();
      client.send({ kind: 'auth', id, token });
      const { code } = await client.next('error', (frame) => frame.id === id);
      const expected = name === 'expired' ? 'token_expired' : name === '' ? 'token_missing' : 'token_invalid';
      expect({ name, code }).toEqual({ name, code: expected });
    }
    const id = client.nextId();
    client.send({ kind: 'auth', id, token: await sign(principals.customer('u-2')) });
    await expect(client.next('error')).resolves.toMatchObject({ id, code: 'subject_mismatch' });

    const [event] = await publishOrderEvents(connection, 1, { orderId: 'o-2' });
    await eventually(() => client.recorder.has('order:o-2', event!));
  });
});

describe('keys', () => {
  test.for(['RS256', 'ES256'] as const)(
    'a public key (%s) verifies its own signatures, and is no shared secret',
    async (algorithm, { nats, connection }) => {
      void connection;
      const issuer = await keyIssuer(algorithm);
      const other = await keyIssuer(algorithm);
      await using gateway = await startGateway({
        natsUrl: nats.url,
        env: { SLUICE_TOKEN_SECRET: '', SLUICE_TOKEN_PUBLIC_KEY: issuer.publicPem },
      });
      const claims = principals.customer();

      using client = await FrameClient.open({ url: gateway.url, token: await issuer.sign(claims) });
      expect(client.raw.isOpen).toBe(true);

      const refused = {
        'HS256 with the public key as secret': keyConfusionToken(issuer.publicPem, claims),
        'HS256 with the key without line breaks': keyConfusionToken(issuer.publicPem.trim(), claims),
        'HS256 with some secret': await secretIssuer(TEST_SECRET).sign(claims),
        none: unsignedToken(claims),
        'another key of the kind': await other.sign(claims),
        'another kind of key': await (await keyIssuer(algorithm === 'RS256' ? 'ES256' : 'RS256')).sign(claims),
      };
      for (const [name, token] of Object.entries(refused)) {
        expect({ name, ...(await refusalOf(gateway.url, token)) }).toEqual({ name, ...INVALID });
      }
    },
  );

  test('a revoked key is refused once the key set has been fetched again, and open connections go on', async ({
    nats,
    connection,
  }) => {
    const old = await keyIssuer('ES256', 'old');
    const fresh = await keyIssuer('ES256', 'fresh');
    await using jwks = await startJwksServer([old.publicJwk]);
    await using gateway = await startGateway({
      natsUrl: nats.url,
      env: {
        SLUICE_TOKEN_SECRET: '',
        SLUICE_TOKEN_JWKS_URL: jwks.url,
        SLUICE_JWKS_MAX_AGE_MS: '1000',
        SLUICE_JWKS_COOLDOWN_MS: '0',
      },
    });
    const claims = principals.customer();
    using early = await FrameClient.open({ url: gateway.url, token: await old.sign(claims) });
    await early.subscribeUntilLive('order:o-3', { first: 'none' });

    jwks.setKeys([fresh.publicJwk]);

    using late = await FrameClient.open({ url: gateway.url, token: await fresh.sign(claims) });
    expect(late.raw.isOpen).toBe(true);
    await eventually(
      async () => {
        // Issued before the set was fetched: its key is gone, not yet to come.
        const token = await old.sign({ ...claims, iat: Math.floor(Date.now() / 1_000) - 60 });
        return (await refusalOf(gateway.url, token)).close === CLOSE_CODES.token_invalid;
      },
      { what: 'the revoked key to be refused', intervalMs: 100 },
    );
    const id = early.nextId();
    early.send({ kind: 'auth', id, token: await old.sign(claims) });
    await expect(early.next('error')).resolves.toMatchObject({ id });
    const [event] = await publishOrderEvents(connection, 1, { orderId: 'o-3' });
    await eventually(() => early.recorder.has('order:o-3', event!));
  });

  test('a key set that cannot be fetched is the gateway’s trouble: come back later', async ({ nats, connection }) => {
    void connection;
    const issuer = await keyIssuer('ES256');
    await using jwks = await startJwksServer([issuer.publicJwk]);
    jwks.setAvailable(false);
    await using gateway = await startGateway({
      natsUrl: nats.url,
      env: { SLUICE_TOKEN_SECRET: '', SLUICE_TOKEN_JWKS_URL: jwks.url },
    });
    const token = await issuer.sign(principals.customer());

    const refusal = await refusalOf(gateway.url, token);
    jwks.setAvailable(true);

    expect(refusal).toEqual({ code: 'auth_unavailable', close: CLOSE_CODES.auth_unavailable });
    const isWelcome = async (): Promise<boolean> => {
      using client = await FrameClient.open({ url: gateway.url });
      client.hello(token);
      return await Promise.race([
        client.next('welcome').then(() => true),
        client.next('error').then(() => false),
      ]).catch(() => false);
    };
    await eventually(isWelcome, { what: 'a welcome once the keys are there', intervalMs: 100 });
  });
});

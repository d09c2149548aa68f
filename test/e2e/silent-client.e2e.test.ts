// A client whose network works and that says nothing learns why it is closed: whoever only cuts it off leaves it, and its
// operator, to guess.
import { CLOSE_CODES } from '@sluice/schemas';
import { expect } from 'vitest';
import { test as base } from '../kit/fixtures.ts';
import { FrameClient } from '../kit/frame-client.ts';
import { customerToken } from '../kit/token.ts';

// Due after twice the interval and the hello timeout, 9 s: uWebSockets.js by itself cannot wait less than 8.
const test = base.override({ gatewayEnv: { SLUICE_PING_INTERVAL_MS: '1000', SLUICE_HELLO_TIMEOUT_MS: '7000' } });

test('a client that answers no ping is closed with pong_timeout, not cut off', async ({ gateway }) => {
  using client = await FrameClient.open({ url: gateway.url, token: await customerToken() });
  client.stopPonging();

  await expect(client.raw.closed).resolves.toEqual({ code: CLOSE_CODES.pong_timeout, reason: 'pong_timeout' });
}, 30_000);

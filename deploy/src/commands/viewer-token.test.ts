import { expect, test } from 'vitest';
import { viewerOf } from './viewer-token.ts';

test.each([
  ['merchant:m-1', { sub: 'owner-of-m-1', role: 'merchant_owner', merchantIds: ['m-1'] }],
  ['user:u-7', { sub: 'u-7' }],
  ['feed:u-7', { sub: 'u-7' }],
  ['cart:cart-u-7', { sub: 'u-7' }],
  ['chat:chat-u-7', { sub: 'a-viewer', role: 'agent' }],
  ['order:o-17', undefined],
  ['admin:dashboard', undefined],
  ['leaderboard:daily', undefined],
  ['feed', undefined],
])('%s is looked at by %j', (channel, viewer) => {
  expect(viewerOf(channel)).toEqual(viewer);
});

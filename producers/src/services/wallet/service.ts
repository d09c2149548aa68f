// Keeps everybody's coins.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import {
  decideWallets,
  dueInWallets,
  foldWallets,
  forgetTotals,
  noWallets,
  reactToDeliveries,
  type Wallets,
} from './wallets.ts';

const TICK_MS = 60_000;

export const walletService: ServiceDefinition<Wallets> = defineService({
  name: 'wallet',
  catalogue: rez,
  reads: ['order.created', 'wallet'],
  guards: { wallet: ['userId'] },
  commands: ['wallet.redeem'],
  initial: noWallets,
  snapshotVersion: 1,
  forget: forgetTotals,
  fold: foldWallets,
  decide: decideWallets,
  reactsTo: ['order.status_changed'],
  react: reactToDeliveries,
  tick: { everyMs: TICK_MS, due: dueInWallets },
});

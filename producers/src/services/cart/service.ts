// Keeps everybody's cart.
import { rez } from '@sluice/schemas';
import { defineService, type ServiceDefinition } from '../../service/definition.ts';
import { decideCart, dueInCarts, reactInCarts } from './cart.ts';
import { type Carts, foldCarts, noCarts } from './carts.ts';

const TICK_MS = 1_000;

export const cartService: ServiceDefinition<Carts> = defineService({
  name: 'cart',
  catalogue: rez,
  reads: ['product', 'cart'],
  guards: { cart: ['userId', 'cartId'] },
  commands: ['cart.add_item', 'cart.update_item', 'cart.remove_item', 'cart.clear'],
  initial: noCarts,
  snapshotVersion: 1,
  fold: foldCarts,
  decide: decideCart,
  reactsTo: ['product.price_updated', 'product.stock_updated', 'order.created'],
  react: reactInCarts,
  tick: { everyMs: TICK_MS, due: dueInCarts },
});
